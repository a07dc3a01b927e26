"""Where the numbered pages of lists ended, so that the next one goes on from there."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

from vidgate.models.accounts import Sight
from vidgate.models.tasks import TaskQuery

__all__ = ["PageEnds"]

_LIFETIME = 300.0
"""Seconds for a client to ask for the next page."""

_ENDS_PER_SIGHT = 64
"""Of all its lists together: each takes some 500 bytes."""

_SIGHTS = 1000

_Ends: TypeAlias = OrderedDict[tuple[TaskQuery, int], tuple[UUID, float]]
"""By the list and the place behind the page: its last task, and when it was answered."""


class PageEnds:
    """Remembers the last task of each page that was answered lately.

    A page by its number alone leaves out all tasks before it, one by one; behind a task it begins
    at its place in the index. So whoever walks page by page pays for what is shown, and neither
    misses nor repeats a task when new ones come. Only a page that follows none of those answered
    here costs time by its number: dialects bound it.

    Args:
        monotonic: Seconds that only grow.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends: OrderedDict[Sight, _Ends] = OrderedDict()

    def before(self, sight: Sight, query: TaskQuery) -> tuple[UUID | None, int]:
        """Find the nearest page before a part of a list.

        Returns:
            Its last task, `None` if none is known, and how many to leave out behind it.
        """
        known, kind = self._ends.get(sight, _Ends()), _kind(query)
        oldest = self._monotonic() - _LIFETIME
        places = [
            place
            for (one, place), (_, since) in known.items()
            if one == kind and place <= query.offset and since > oldest
        ]
        if not places:
            return None, query.offset
        place = max(places)
        return known[kind, place][0], query.offset - place

    def add(self, sight: Sight, query: TaskQuery, last: UUID) -> None:
        """Take note that a part of a list was answered up to this task."""
        ends = self._ends.setdefault(sight, _Ends())
        self._ends.move_to_end(sight)
        kind, place = _kind(query), query.offset + query.limit
        earlier = ends.pop((kind, place), None)
        if earlier is not None and earlier[0] != last:
            # Something came or went: what is further on is no longer where it was.
            for key in [key for key in ends if key[0] == kind and key[1] > place]:
                del ends[key]
        ends[kind, place] = last, self._monotonic()
        while len(ends) > _ENDS_PER_SIGHT:
            ends.popitem(last=False)
        while len(self._ends) > _SIGHTS:
            self._ends.popitem(last=False)


def _kind(query: TaskQuery) -> TaskQuery:
    """What two pages of one list have in common; its end, which moves with the clock, is none."""
    kind = replace(query, offset=0, limit=0)
    return replace(kind, created_from=None) if query.newest_first else kind
