"""A duration of 0 reaches the adapters, which know whether a model has an automatic length."""

import pytest
from tests.support.api import FIELD_MEANINGS

from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.api.video_requests import read_video_request


@pytest.mark.parametrize("name", ["duration", "seconds"])
@pytest.mark.parametrize("value", [0, "0"], ids=["number", "text"])
def test_no_length_is_not_the_same_as_none_given(name: str, value: object) -> None:
    fields = FieldReader(Form({"model": "viduq2-pro", "prompt": "a boat", name: value}))

    asked = read_video_request(fields, strict=False, meanings=FIELD_MEANINGS)

    assert asked.request.duration_seconds == 0
