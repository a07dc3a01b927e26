"""Generic fields are written once; vendor fields are laid over them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.draft import Draft, merge, to_whole
from vidgate.providers.sizes import SizeFit

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@pytest.mark.parametrize(
    ("body", "over", "merged"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1, 2]}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": 7}, {"a": 7}),
        ({"a": {"b": 1}}, {"a": []}, {"a": []}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": False}, {"a": False}),
        ({"a": 1}, {"a": ""}, {"a": ""}),
        ({}, {"a": {"b": None}}, {"a": {}}),
        ({}, {"a": [None, {"b": None}]}, {"a": [None, {"b": None}]}),
    ],
)
def test_what_becomes_of_it(
    body: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge(body, over) == merged


@given(body=OBJECTS, over=OBJECTS)
def test_neither_is_changed_and_twice_is_once(body: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((body, over))

    merged = merge(body, over)

    assert (body, over) == before
    assert merge(merged, over) == merged


def draft(over: dict[str, Any] | None = None, **fields: Any) -> Draft:
    return Draft(VideoRequest(model="m", **fields), over or {}, "m1")


@pytest.mark.parametrize(
    ("fields", "over", "body", "names"),
    [
        ({}, {}, {}, {}),
        ({"prompt": "p"}, {}, {"text": "p"}, {"text": "prompt"}),
        ({"prompt": "p"}, {"text": "own"}, {"text": "own"}, {}),
        ({"prompt": "p"}, {"text": None}, {}, {}),
        ({"duration_seconds": 5.0}, {}, {"ms": 5000}, {"ms": "duration"}),
        ({"duration_seconds": 99}, {"ms": 7}, {"ms": 7}, {}),
        ({"seed": 0}, {}, {"seed": 0}, {"seed": "seed"}),
        ({"seed": 99}, {"seed": 7}, {"seed": 7}, {}),
    ],
)
def test_a_generic_field_is_written_unless_the_client_wrote_the_vendors_own(
    fields: dict[str, Any], over: dict[str, Any], body: dict[str, Any], names: dict[str, str]
) -> None:
    made = draft(over, **fields)

    made.prompt("text")
    made.duration("ms", allowed=(4, 5), write=lambda seconds: seconds * 1000)
    made.seed(bounds=(0, 9))

    assert (made.finish(), made.names, made.ignored) == (body, names, ())


@pytest.mark.parametrize(
    ("fields", "param", "allowed"),
    [
        ({"duration_seconds": 6}, "duration", (4, 5)),
        ({"duration_seconds": 4.5}, "duration", (4, 5)),
        ({"duration_seconds": float("inf")}, "duration", (4, 5)),
        ({"seed": -1}, "seed", ()),
        ({"seed": 10}, "seed", ()),
    ],
)
def test_a_generic_value_that_no_table_could_name_is_refused(
    fields: dict[str, Any], param: str, allowed: tuple[int, ...]
) -> None:
    made = draft(**fields)

    def write() -> None:
        made.duration("ms", allowed=(4, 5))
        made.seed(bounds=(0, 9))

    with pytest.raises(UnsupportedParameterError) as caught:
        write()

    assert (caught.value.param, caught.value.allowed) == (param, allowed)
    assert "The model m1 " in caught.value.message


@pytest.mark.parametrize(
    ("fit", "over", "body", "adjusted", "ignored"),
    [
        (SizeFit(tier="720p", ratio="1:1"), {}, {"mode": "P720", "shape": "1:1"}, [], ()),
        (
            SizeFit(tier="720p", adjusted="size=720p"),
            {"shape": "9:16"},
            {"mode": "P720", "shape": "9:16"},
            ["size=720p"],
            (),
        ),
        (SizeFit(tier="720p"), {"mode": "own"}, {"mode": "own"}, [], ()),
        (SizeFit(ignored=True), {}, {}, [], ("size",)),
    ],
)
def test_a_size_is_written_as_it_was_fitted(
    fit: SizeFit,
    over: dict[str, Any],
    body: dict[str, Any],
    adjusted: list[str],
    ignored: tuple[str, ...],
) -> None:
    made = draft(over, width=640, height=640)

    made.size(fit, tier="mode", ratio="shape", write=lambda tier: f"P{tier[:-1]}")

    assert (made.finish(), made.adjusted, made.ignored) == (body, adjusted, ignored)


def test_what_is_given_and_not_used_is_ignored() -> None:
    made = draft(
        prompt="p",
        duration_seconds=5,
        aspect_ratio="1:1",
        fps=24,
        seed=1,
        user="u",
        images=(Image(url="https://a.test/a.png"),),
    )
    unused = made.ignored
    made.use("size", "image")
    made.put("user", "end_user", "u")
    made.idle("style", "fps")

    assert unused == ("duration", "fps", "image", "prompt", "seed", "size", "user")
    assert made.ignored == ("duration", "fps", "prompt", "seed", "style")
    assert draft().ignored == ()


@pytest.mark.parametrize(
    ("number", "whole"), [(5, 5), (5.0, 5), (5.5, 5.5), (float("inf"), float("inf"))]
)
def test_a_whole_number_is_written_as_one(number: float, whole: float) -> None:
    assert to_whole(number) == whole
    assert isinstance(to_whole(number), type(whole))


@pytest.mark.parametrize(
    ("members", "over", "body", "adjusted", "ignored"),
    [
        ({"width": 1280, "height": 720}, {}, {"mode": "720p", "shape": "16:9"}, [], ()),
        (
            {"width": 1000, "height": 700},
            {},
            {"mode": "720p", "shape": "4:3"},
            ["size=4:3@720p"],
            (),
        ),
        ({"aspect_ratio": "4:3"}, {}, {"shape": "4:3"}, [], ()),
        ({"aspect_ratio": "4:3"}, {"shape": "1:1"}, {"shape": "1:1"}, [], ()),
        (
            {"width": 1920, "height": 1080},
            {"mode": "720p"},
            {"mode": "720p", "shape": "16:9"},
            ["size=720p"],
            (),
        ),
    ],
)
def test_a_size_is_fitted_but_for_what_vendor_fields_say(
    members: dict[str, Any],
    over: dict[str, Any],
    body: dict[str, Any],
    adjusted: list[str],
    ignored: tuple[str, ...],
) -> None:
    made = draft(over, **members)

    made.fit_size(["480p", "720p", "1080p"], ["16:9", "4:3"], tier="mode", ratio="shape")

    assert (made.finish(), made.adjusted, made.ignored) == (body, adjusted, ignored)


def test_a_shape_without_a_place_is_ignored_and_pixels_are_not() -> None:
    shape, pixels = draft(aspect_ratio="4:3"), draft(width=1280, height=720)

    shape.fit_size(["720p"], [])
    pixels.fit_size(["720p"], [])

    assert (shape.finish(), shape.ignored) == ({}, ("size",))
    assert (pixels.finish(), pixels.ignored) == ({"resolution": "720p"}, ())


@pytest.mark.parametrize("user", ["u-1", "u" * 64])
def test_an_end_user_is_written_as_it_is_where_it_fits(user: str) -> None:
    made = draft(user=user)

    made.user("end_user", most=64)

    assert (made.finish(), made.ignored) == ({"end_user": user}, ())


def test_an_end_user_that_does_not_fit_is_hashed() -> None:
    one, same, other = (draft(user="u" * 64 + end) for end in ("1", "1", "2"))

    for made in (one, same, other):
        made.user("end_user", most=64)

    assert one.finish() == same.finish() != other.finish()
    assert len(one.finish()["end_user"]) == 64
