"""What is told of fields that were ignored, adjusted or passed on unknown."""

from datetime import timedelta
from typing import Any

import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import WarningCode
from vidgate.providers.base import Pace, RunFacts, Translation
from vidgate.services.attempts.warnings import check_strict, make_warnings, warnings_of

SOON = timedelta(seconds=1)
PACE = Pace(first_ask=SOON, interval=SOON, max_interval=SOON, deadline=SOON)


@pytest.mark.parametrize(
    ("code", "entry", "param", "message"),
    [
        ("ignored", "fps", "fps", "The model has no use for fps; it was ignored."),
        (
            "adjusted",
            "size=1:1@720p",
            "size",
            "size was taken to 1:1@720p, the nearest that can be made of this request.",
        ),
        (
            "adjusted",
            "model=kling-v2-5-turbo",
            "model",
            "model was set to kling-v2-5-turbo, since the one that was asked for is retired.",
        ),
        (
            "adjusted",
            "mode=pro",
            "mode",
            "mode was set to pro, which the rest of the request needs.",
        ),
        (
            "unknown",
            "foo",
            "foo",
            "foo is not in the vendor's documentation; it was passed on unchanged.",
        ),
        (
            "unknown",
            "a\x1b[2Jb",
            "a\x1b[2Jb",
            "'a\\x1b[2Jb' is not in the vendor's documentation; it was passed on unchanged.",
        ),
    ],
)
def test_a_sentence_says_what_was_done(code: str, entry: str, param: str, message: str) -> None:
    [warning] = make_warnings(**{code: (entry,)})

    assert (warning.code, warning.param, warning.message) == (code, param, message)


@pytest.mark.parametrize(
    ("members", "param", "message"),
    [
        ({"ignored": ("fps",)}, "fps", "The model has no use for fps."),
        (
            {"adjusted": ("size=1:1@720p",)},
            "size",
            "size cannot be met exactly. Allowed: 1:1@720p.",
        ),
        (
            {"adjusted": ("model=kling-v2-5-turbo",)},
            "model",
            "The model that was asked for is retired. Allowed: kling-v2-5-turbo.",
        ),
        (
            {"adjusted": ("mode=pro",)},
            "mode",
            "The rest of the request needs mode to be pro; ask for that too. Allowed: pro.",
        ),
        (
            {"unknown": ("foo",)},
            "foo",
            "foo is not in the vendor's documentation; leave it out.",
        ),
    ],
)
def test_strictly_each_of_them_is_an_error(
    members: dict[str, Any], param: str, message: str
) -> None:
    translation = Translation(
        endpoint="/", body={}, facts=RunFacts(model="m"), pace=PACE, **members
    )

    with pytest.raises(UnsupportedParameterError) as caught:
        check_strict(translation)

    assert (caught.value.param, caught.value.message) == (param, message)


def test_a_field_is_told_once() -> None:
    request = VideoRequest(model="m", ignored=("response_format", "fps"))
    translation = Translation(
        endpoint="/", body={}, facts=RunFacts(model="m"), pace=PACE, ignored=("fps", "seed")
    )

    warned = [one.param for one in warnings_of(request, translation)]

    assert warned == ["fps", "seed", "response_format"]


def test_thousands_of_unknown_fields_take_little_room() -> None:
    names = [f"{'x' * 1000}{number}"[-150:] for number in range(10_000)]

    warnings = make_warnings(unknown=names)

    assert len(warnings) == 21
    assert warnings[-1].message == "The same was done with 9980 more fields."
    assert {one.code for one in warnings} == {WarningCode.UNKNOWN}
    assert sum(len(one.param) + len(one.message) for one in warnings) < 20_000
