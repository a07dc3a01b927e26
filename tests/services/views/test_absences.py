"""What is remembered of ids that lead to nothing: little, for a second, for who asked."""

import pytest

from vidgate.constants import ABSENCES, VIEW_SHARE
from vidgate.models.accounts import Sight
from vidgate.models.ids import new_id
from vidgate.services.views.absences import Absences

NAME = "task_01m7wczamafj4sn87z101k97e6"


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def absences(seconds: Seconds) -> Absences:
    absences = Absences(seconds)
    absences.clear()
    return absences


def put(absences: Absences, name: str, sight: Sight) -> None:
    absences.put(name, sight, Seconds.now, absences.drops)


def test_it_is_remembered_for_who_asked_and_for_a_second(
    absences: Absences, seconds: Seconds
) -> None:
    account, token = new_id(), new_id()
    put(absences, NAME, Sight(account, token))

    seconds.now += 0.9
    assert absences.has(NAME, Sight(account, token))
    for other in (Sight(account), Sight(account, new_id()), Sight(new_id(), token)):
        assert not absences.has(NAME, other)
    seconds.now += 0.2
    assert not absences.has(NAME, Sight(account, token))


def test_what_was_asked_before_the_second_began_is_not(
    absences: Absences, seconds: Seconds
) -> None:
    sight, drops = Sight(new_id()), absences.drops
    seconds.now += 1
    absences.has(NAME, sight)
    absences.put(NAME, sight, Seconds.now, drops)
    assert not absences.has(NAME, sight)
    absences.put(NAME, sight, Seconds.now, absences.drops)
    assert not absences.has(NAME, sight)


@pytest.mark.parametrize("changed", [NAME, "task_another"])
def test_what_changed_meanwhile_is_not(absences: Absences, changed: str) -> None:
    sight, drops = Sight(new_id()), absences.drops
    absences.drop(changed)
    absences.put(NAME, sight, Seconds.now, drops)

    assert not absences.has(NAME, sight)


def test_a_change_makes_all_forget_it(absences: Absences) -> None:
    sights = [Sight(new_id()), Sight(new_id())]
    for sight in sights:
        put(absences, NAME, sight)
        put(absences, "task_another", sight)
    absences.drop(NAME)

    assert not any(absences.has(NAME, sight) for sight in sights)
    assert all(absences.has("task_another", sight) for sight in sights)


def test_an_account_has_its_share_and_all_have_what_there_is(absences: Absences) -> None:
    sights = [Sight(new_id()) for _ in range(VIEW_SHARE + 1)]
    counts = []
    for sight in sights:
        names = [f"task_{number}" for number in range(ABSENCES // VIEW_SHARE + 1)]
        for name in names:
            put(absences, name, sight)
        counts.append(sum(absences.has(name, sight) for name in names))

    assert counts == [*[ABSENCES // VIEW_SHARE] * VIEW_SHARE, 0]


def test_a_long_name_is_not_remembered(absences: Absences) -> None:
    sight = Sight(new_id())
    put(absences, "x" * 100_000, sight)

    assert not absences.has("x" * 100_000, sight)
