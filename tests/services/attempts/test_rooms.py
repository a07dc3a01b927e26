"""How many questions a channel may have under way, as its provider answers."""

from uuid import UUID, uuid4

import pytest
from tests.support.clock import FixedClock

from vidgate.constants import POLL_MEMORY, POLLS_LEAST, POLLS_MOST, POLLS_PER_CHANNEL
from vidgate.services.attempts.rooms import Place, Rooms

CHANNEL = uuid4()


class World:
    """A clock, the rooms, and how often they said that a place became free."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.freed = 0
        self.rooms = Rooms(self.clock, self._free)

    def _free(self) -> None:
        self.freed += 1

    @property
    def size(self) -> int:
        return self.rooms.free(CHANNEL)  # while none is taken

    def fill(self, channel_id: UUID = CHANNEL, *, is_wanted: bool = True) -> list[Place]:
        self.rooms.claimed(channel_id, 1, is_wanted=is_wanted)
        places = []
        while place := self.rooms.take(channel_id):
            places.append(place)
        return places

    def answer(
        self, seconds: float, *, times: int = 1, is_trouble: bool = False, is_wanted: bool = True
    ) -> None:
        """So many rounds, in each of which every place is taken and answered."""
        for _ in range(times):
            places = self.fill(is_wanted=is_wanted)
            self.clock.advance(seconds=seconds)
            for place in places:
                place.answered(is_trouble=is_trouble)


@pytest.fixture
def world() -> World:
    return World()


def test_a_place_is_free_once_it_is_answered_and_only_once(world: World) -> None:
    first, *_ = world.fill(is_wanted=False)
    assert world.rooms.take(CHANNEL) is None

    first.answered(is_trouble=False)
    first.answered(is_trouble=False)
    first.leave()

    assert world.rooms.free(CHANNEL) == 1


@pytest.mark.parametrize("seconds", [0.05, 0.6, 3.0, 12.0])
def test_a_room_grows_while_work_waits_and_answers_are_as_quick_as_ever(
    world: World, seconds: float
) -> None:
    world.answer(seconds)
    assert world.size == 2 * POLLS_PER_CHANNEL

    world.answer(seconds, times=9)

    assert world.size == POLLS_MOST


def test_a_room_does_not_grow_for_nobody(world: World) -> None:
    world.answer(0.1, times=9, is_wanted=False)

    assert world.size == POLLS_PER_CHANNEL
    assert world.freed == 0


def test_a_room_does_not_grow_where_more_questions_only_wait_for_each_other(world: World) -> None:
    world.answer(1.0)
    grown = world.size

    world.answer(2.1, times=9)

    assert world.size == grown


def test_a_provider_that_has_become_slower_for_good_is_taken_as_it_is(world: World) -> None:
    world.answer(0.1)
    world.answer(4.0, times=40)

    assert world.size == POLLS_MOST


@pytest.mark.parametrize("times", [1, 9])
def test_a_room_shrinks_when_the_provider_cannot_be_asked(world: World, times: int) -> None:
    world.answer(20, times=times, is_trouble=True)

    assert world.size == max(POLLS_LEAST, POLLS_PER_CHANNEL >> times)


def test_one_failure_among_many_answers_is_hardly_felt(world: World) -> None:
    world.answer(0.1, times=9)
    for _ in range(20):
        places = world.fill()
        world.clock.advance(seconds=0.1)
        for number, place in enumerate(places):
            place.answered(is_trouble=number % 50 == 0)

    assert world.size > POLLS_MOST * 0.95


def test_after_trouble_a_room_grows_carefully_for_a_while(world: World) -> None:
    world.answer(0.1, is_trouble=True)
    half = world.size

    world.answer(0.1)
    assert world.size == half * 17 // 16

    world.clock.advance(seconds=POLL_MEMORY.total_seconds())
    grown = world.size
    world.answer(0.1)
    assert world.size >= 2 * grown


def test_channels_have_rooms_of_their_own(world: World) -> None:
    world.answer(0.1, is_trouble=True)
    world.fill()

    other = uuid4()
    assert world.rooms.take(CHANNEL) is None
    assert len(world.fill(other)) == POLLS_PER_CHANNEL


def test_a_place_that_work_waits_for_is_announced(world: World) -> None:
    place, *_ = world.fill()
    assert world.freed == 0

    place.leave()

    assert world.freed == 1


def test_a_question_about_many_attempts_takes_one_place(world: World) -> None:
    world.rooms.claimed(CHANNEL, 20, is_wanted=True)
    place = world.rooms.take(CHANNEL)
    assert place is not None
    assert world.rooms.places() == {CHANNEL: POLLS_PER_CHANNEL - 1}
    assert world.rooms.width(CHANNEL) == 20

    world.rooms.claimed(CHANNEL, None, is_wanted=True)
    assert world.rooms.width(CHANNEL) == 20
