"""Identifiers: unique, ordered by time, and read back from what was written only."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidgate.models.ids import DatedIds, first_id, new_id, parse_public_id, public_id

LARGEST = UUID(int=2**128 - 1)


def test_an_id_is_a_uuid_of_version_seven() -> None:
    ids = [new_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert {one.version for one in ids} == {7}
    assert {one.variant for one in ids} == {"specified in RFC 4122"}
    milliseconds = [one.int >> 80 for one in ids]
    assert milliseconds == sorted(milliseconds)


def test_ids_of_one_moment_are_in_the_order_they_were_made() -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    ids = DatedIds()
    made = [ids.new(at + timedelta(seconds=number // 1000)) for number in range(3000)]

    assert made == sorted(set(made))
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {"specified in RFC 4122"}
    assert first_id(at) <= made[0]
    assert made[999] < first_id(at + timedelta(seconds=1)) <= made[1000]
    assert DatedIds().new(at) != DatedIds().new(at)


@given(identifier=st.uuids())
def test_a_public_id_is_read_back(identifier: UUID) -> None:
    name = public_id("task_", identifier)

    assert len(name) == 31
    assert name == name.lower()
    assert parse_public_id("task_", name) == identifier


@given(one=st.uuids(), other=st.uuids())
def test_public_ids_sort_as_ids_do(one: UUID, other: UUID) -> None:
    assert (public_id("", one) < public_id("", other)) == (one.int < other.int)


def test_the_least_and_the_largest() -> None:
    assert public_id("task_", UUID(int=0)) == "task_" + "0" * 26
    assert parse_public_id("task_", "task_" + "7" + "z" * 25) == LARGEST
    assert parse_public_id("task_", "task_" + "8" + "0" * 25) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "task_",
        "task_" + "0" * 25,
        "task_" + "0" * 27,
        "TASK_" + "0" * 26,
        "task_" + "u" * 26,
        "task_" + "A" * 26,
        "task_" + "٣" * 26,
        "vg_" + "0" * 28,
        "task_" + "0" * 25 + "\n",
        " task_" + "0" * 25,
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert parse_public_id("task_", text) is None


@given(text=st.text(max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    parsed = parse_public_id("task_", text)

    assert parsed is None or public_id("task_", parsed) == text
