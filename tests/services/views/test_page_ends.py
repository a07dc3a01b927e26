"""What is remembered of numbered pages: the nearest, for a while, in little memory."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from tests.support.clock import FixedClock

from vidgate.models.accounts import Sight
from vidgate.models.tasks import TaskQuery, TaskStatus
from vidgate.services.views.page_ends import PageEnds

ACCOUNT, OTHER = Sight(UUID(int=1)), Sight(UUID(int=2))
LAST, NEXT, DEEP = (UUID(int=number) for number in (10, 20, 30))
QUERY = TaskQuery(limit=10)


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def ends(seconds: Seconds) -> PageEnds:
    return PageEnds(seconds)


def at(offset: int) -> TaskQuery:
    return replace(QUERY, offset=offset)


def test_the_nearest_page_before_counts(ends: PageEnds) -> None:
    ends.add(ACCOUNT, at(0), LAST)
    ends.add(ACCOUNT, at(10), NEXT)

    assert ends.before(ACCOUNT, at(9)) == (None, 9)
    assert ends.before(ACCOUNT, at(10)) == (LAST, 0)
    assert ends.before(ACCOUNT, at(19)) == (LAST, 9)
    assert ends.before(ACCOUNT, at(25)) == (NEXT, 5)


def test_every_list_has_its_own(ends: PageEnds) -> None:
    ends.add(ACCOUNT, at(0), LAST)

    assert ends.before(OTHER, at(10)) == (None, 10)
    for changes in (
        {"statuses": (TaskStatus.FAILED,)},
        {"origin": "vidu"},
        {"actions": ("text",)},
        {"newest_first": False},
        {"created_until": FixedClock().now()},
    ):
        other = replace(at(10), **changes)
        assert ends.before(ACCOUNT, other) == (None, 10), changes


def test_how_far_back_a_list_goes_moves_no_page(ends: PageEnds) -> None:
    now = FixedClock().now()
    ends.add(ACCOUNT, replace(at(0), created_from=now), LAST)

    later = replace(at(10), created_from=now + timedelta(seconds=1))
    assert ends.before(ACCOUNT, later) == (LAST, 0)


def test_a_size_of_another_page_is_no_other_list(ends: PageEnds) -> None:
    ends.add(ACCOUNT, at(0), LAST)

    assert ends.before(ACCOUNT, replace(QUERY, limit=50, offset=50)) == (LAST, 40)


def test_it_is_forgotten_after_five_minutes(ends: PageEnds, seconds: Seconds) -> None:
    ends.add(ACCOUNT, at(0), LAST)
    seconds.now += 299
    ends.add(ACCOUNT, at(10), NEXT)
    seconds.now += 2

    assert ends.before(ACCOUNT, at(10)) == (None, 10)
    assert ends.before(ACCOUNT, at(20)) == (NEXT, 0)


def test_what_is_further_on_ends_with_a_page_that_ends_otherwise(ends: PageEnds) -> None:
    for offset, last in ((0, LAST), (10, NEXT), (20, DEEP)):
        ends.add(ACCOUNT, at(offset), last)

    ends.add(ACCOUNT, at(10), NEXT)
    assert ends.before(ACCOUNT, at(30)) == (DEEP, 0)
    ends.add(ACCOUNT, at(10), UUID(int=21))
    assert ends.before(ACCOUNT, at(30)) == (UUID(int=21), 10)


def test_one_account_has_a_few_and_keeps_the_latest(ends: PageEnds) -> None:
    ends.add(OTHER, at(0), LAST)
    for number in range(1000):
        ends.add(ACCOUNT, at(10 * number), UUID(int=number))

    assert ends.before(ACCOUNT, at(10_000)) == (UUID(int=999), 0)
    assert ends.before(ACCOUNT, at(5_000)) == (None, 5_000)
    assert ends.before(OTHER, at(10)) == (LAST, 0)


def test_there_are_as_many_accounts_as_there_is_room_for(ends: PageEnds) -> None:
    for number in range(1001):
        ends.add(Sight(UUID(int=number)), at(0), LAST)

    assert ends.before(Sight(UUID(int=0)), at(10)) == (None, 10)
    assert ends.before(Sight(UUID(int=1000)), at(10)) == (LAST, 0)
