"""The client's own fields where Kling's new generation nests them: they are kept all the same."""

from typing import Any

import pytest
from tests.support.api import FIELD_MEANINGS

from vidgate.api.fields import FieldReader
from vidgate.api.forms import Form
from vidgate.api.video_requests import read_video_request
from vidgate.exceptions import InvalidParameterError

OWN = {"callback_url": "https://hooks.test/", "external_task_id": "theirs"}


def read(**members: Any) -> Any:
    fields = FieldReader(Form({"model": "kling-3.0", "prompt": "a boat", **members}))
    return read_video_request(fields, strict=False, meanings=FIELD_MEANINGS).request.metadata


@pytest.mark.parametrize("name", OWN)
def test_what_is_in_options_is_kept_as_if_it_were_beside_them(name: str) -> None:
    options = {name: OWN[name], "watermark_info": {"enabled": True}}

    assert read(metadata={"options": options}) == {"options": options, name: OWN[name]}
    assert read(options=options) == {"options": options, name: OWN[name]}


@pytest.mark.parametrize("beside", [None, "", "the same"])
@pytest.mark.parametrize("name", OWN)
def test_one_that_says_nothing_or_the_same_is_no_contradiction(name: str, beside: Any) -> None:
    given = OWN[name] if beside == "the same" else beside

    assert read(metadata={"options": {name: OWN[name]}, name: given})[name] == OWN[name]


@pytest.mark.parametrize("name", OWN)
def test_two_that_differ_are_refused(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="differ") as caught:
        read(metadata={"options": {name: OWN[name]}, name: "https://another.test/"})

    assert caught.value.param == f"metadata.options.{name}"


@pytest.mark.parametrize("options", [None, "text", [], {}, {"callback_url": ""}, {"x": 1}])
def test_options_without_them_change_nothing(options: Any) -> None:
    assert read(metadata={"options": options}) == {"options": options}
