"""Fields judged against tables: each check with what is right, what is just right, and wrong."""

from typing import Any

import pytest
from tests.support.checks import samples_of

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.fields import (
    SWITCH,
    Absent,
    Check,
    Fields,
    Form,
    Items,
    Length,
    OneOf,
    Rule,
    Within,
    fold,
    is_given,
    refuse_misspelled,
    to_number,
)

WORDS = OneOf(("small", "large"), passed=("huge",))
SECONDS = OneOf((4, 8), as_number=True, passed=(0,))
SPEED = Within(0.5, 2)
TEXT = Length(0, 3)
SPOKEN = Length(2, 3)
NONE = Absent(("m2", "m3"))
LIST = Items(2, 3, of={"seconds": SECONDS})


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (WORDS, ["small", "large", "huge"]),
        (SWITCH, [True, False]),
        (SECONDS, [4, 8, 8.0, "8", " 4 ", 0]),
        (SPEED, [0.5, 1, 2, "2", "fast", True, []]),
        (TEXT, ["a", "abc", 5, ["abcd"]]),
        (SPOKEN, ["ab", "abc", 5]),
        (NONE, [False, 0, [], {}]),
        (Absent(otherwise=SWITCH), [False]),
        (LIST, [[1, 2], [{}, {}, {}], [], "abcd", [{"seconds": 4}, {"seconds": ""}]]),
    ],
)
def test_a_check_lets_through(check: Check, values: list[Any]) -> None:
    for value in values:
        check.refuse("field", value, "m1")


@pytest.mark.parametrize(
    ("check", "value", "field", "sentence", "allowed"),
    [
        (WORDS, "Small", "f", "does not take `Small` as f here.", ("small", "large")),
        (WORDS, True, "f", "does not take true as f here.", ("small", "large")),
        (SWITCH, 1, "f", "does not take 1 as f here.", ("true", "false")),
        (SWITCH, "true", "f", "does not take `true` as f here.", ("true", "false")),
        (OneOf((1, 2)), True, "f", "does not take true as f here.", (1, 2)),
        (OneOf((1, 2)), "1", "f", "does not take `1` as f here.", (1, 2)),
        (SECONDS, 5, "f", "does not take 5 as f here.", (4, 8)),
        (SECONDS, "five", "f", "does not take `five` as f here.", (4, 8)),
        (SECONDS, False, "f", "does not take false as f here.", (4, 8)),
        (SPEED, 0.49, "f", "takes f from 0.5 to 2, not 0.49.", ()),
        (SPEED, "2.01", "f", "takes f from 0.5 to 2, not 2.01.", ()),
        (TEXT, "abcd", "f", "takes a f of at most 3 characters here.", ()),
        (SPOKEN, "a", "f", "takes f from 2 to 3 characters, not 1.", ()),
        (SPOKEN, "abcd", "f", "takes f from 2 to 3 characters, not 4.", ()),
        (NONE, True, "f", "has no f; m2 and m3 have.", ()),
        (Absent(("m2",)), True, "f", "has no f; m2 has.", ()),
        (Absent(), [1], "f", "has no f.", ()),
        (Absent(otherwise=SWITCH), True, "f", "has no f.", ()),
        (
            Absent(otherwise=SWITCH),
            {},
            "f",
            "does not take an object as f here.",
            ("true", "false"),
        ),
        (LIST, [1], "f", "takes f from 2 to 3 items, not 1.", ()),
        (LIST, [1] * 4, "f", "takes f from 2 to 3 items, not 4.", ()),
        (LIST, [{}, {"seconds": 5}], "f.seconds", "does not take 5 as f.seconds here.", (4, 8)),
    ],
)
def test_a_check_refuses(
    check: Check, value: Any, field: str, sentence: str, allowed: tuple[Any, ...]
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        check.refuse("f", value, "m1")

    assert (caught.value.param, caught.value.allowed) == (field, allowed)
    assert caught.value.message.startswith("The model m1 ")
    assert sentence in caught.value.message


@pytest.mark.parametrize("check", [WORDS, SWITCH, SECONDS, SPEED, TEXT, SPOKEN, NONE, LIST])
def test_the_samples_of_a_check_are_one_that_passes_and_those_that_do_not(check: Check) -> None:
    good, bad = samples_of(check)

    check.refuse("f", good, "m1")
    assert bad
    for value in bad:
        with pytest.raises(UnsupportedParameterError):
            check.refuse("f", value, "m1")


FORM = Form(
    {"size": WORDS, "seconds": SECONDS},
    (
        Rule("size", lambda body: body.get("size") and body.get("tier"), "Not both."),
        Rule(
            "seconds",
            lambda body: body.get("seconds") == 8,
            "The model {model} is short.",
            allowed=(4,),
        ),
    ),
)


@pytest.mark.parametrize(
    "body", [{}, {"size": None}, {"size": ""}, {"size": "small", "seconds": "4"}, {"other": 1}]
)
def test_a_form_lets_through_what_is_right_and_what_is_absent(body: dict[str, Any]) -> None:
    FORM.judge(body, told="m1")


@pytest.mark.parametrize(
    ("body", "names", "field", "sentence"),
    [
        ({"size": "no", "tier": 1}, {}, "size", "does not take `no` as size"),
        ({"size": "no", "tier": 1}, {"size": "format"}, "format", "does not take `no` as format"),
        ({"size": "small", "tier": 1}, {}, "size", "Not both."),
        ({"seconds": 8}, {}, "seconds", "The model m1 is short. Allowed: 4."),
        ({"seconds": 8}, {"seconds": "duration"}, "duration", "The model m1 is short."),
    ],
)
def test_a_form_names_what_is_wrong_as_the_client_does(
    body: dict[str, Any], names: dict[str, str], field: str, sentence: str
) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        FORM.judge(body, told="m1", names=names)

    assert caught.value.param == field
    assert sentence in caught.value.message


def test_what_a_form_holds_first_is_said_before_a_wrong_value() -> None:
    missing = Rule("prompt", lambda body: not body.get("prompt"), "Say it.")
    form = Form({"word": WORDS}, first=(missing,))

    for body, param in (({"word": "odd"}, "prompt"), ({"word": "odd", "prompt": "x"}, "word")):
        with pytest.raises(UnsupportedParameterError) as caught:
            form.judge(body, told="m1")
        assert caught.value.param == param


FIELDS = Fields(
    {"make": {"prompt", "style"}, "extend": {"prompt", "video"}, "speak": {"video", "mode"}},
    nothing_of={"mode": ("std",)},
)


@pytest.mark.parametrize(
    ("body", "foreign"),
    [
        ({"prompt": "p", "style": "s"}, []),
        ({"nobody": 1}, []),
        ({"video": "v", "mode": "pro"}, ["video", "mode"]),
        ({"video": "", "mode": "std"}, []),
        ({"video": None}, []),
        ({"video": []}, []),
        ({"video": {}, "mode": False}, []),
    ],
)
def test_a_field_of_other_endpoints_alone_is_foreign(
    body: dict[str, Any], foreign: list[str]
) -> None:
    assert FIELDS.foreign(body, "make") == foreign


def test_a_foreign_field_is_refused_by_name_and_with_those_who_have_it() -> None:
    body = {"mode": "pro", "video": "v"}

    with pytest.raises(UnsupportedParameterError) as caught:
        FIELDS.refuse_foreign(body, "make", told="Ours", passed={"mode"})

    assert caught.value.param == "video"
    assert caught.value.message == "Ours has no video; it is a field of extend, speak."
    FIELDS.refuse_foreign(body, "make", told="Ours", passed=body)
    assert FIELDS.documented == {"prompt", "style", "video", "mode"}


@pytest.mark.parametrize("name", ["Duration", "offPeak", "OFF_PEAK", "dur_ation"])
def test_a_billed_name_in_another_spelling_is_refused(name: str) -> None:
    folded = fold(("duration", "off_peak"))

    with pytest.raises(UnsupportedParameterError) as caught:
        refuse_misspelled(["other", name], folded, whose="they spell it")

    assert caught.value.param == name
    assert caught.value.allowed[0] in {"duration", "off_peak"}
    refuse_misspelled(["other", "duration", "off_peak"], folded, whose="they spell it")


@pytest.mark.parametrize(
    ("value", "is_so"), [(None, False), ("", False), (0, True), (False, True), ([], True)]
)
def test_a_field_is_given(value: Any, is_so: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_given(value) is is_so


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((5, 5), (5.5, 5.5), ("5", 5), (" 5.5 ", 5.5), ("1e2", 100), (-1, -1)),
        *(("five", None), ("", None), (True, None), (None, None), ([5], None)),
        *(("nan", None), ("inf", None), (float("inf"), None), (10**400, None)),
    ],
    ids=lambda value: repr(value)[:9],
)
def test_a_number_is_read_as_servers_may_read_it(value: Any, number: float | None) -> None:
    assert to_number(value) == number


def test_fields_that_a_model_has_not_are_left_out() -> None:
    form = Form({"sound": Absent(otherwise=SWITCH), "seed": Within(0, 5)})

    assert form.prune({"sound": False, "seed": 5, "new": 1}) == {"seed": 5, "new": 1}
