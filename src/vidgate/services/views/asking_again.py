"""When it is worthwhile for a client to ask for its task again."""

from datetime import datetime, timedelta
from typing import Final

from vidgate.constants import VIEW_AGE
from vidgate.models.tasks import TaskSnapshot, TaskStatus

__all__ = ["ask_again_after"]

_ANSWER: Final = timedelta(seconds=1)
"""From an ask of ours to the state that follows from it."""

_MOST: Final = timedelta(seconds=30)
"""A task can also change in between: it can be cancelled, or its provider calls back."""

_MOST_LATE: Final = timedelta(seconds=10)
"""Likewise past the usual time of its model: it may end at any moment."""

_PART_OF_USUAL: Final = 10
"""A task that waits for a place begins when another one ends; such a part of a run is soon."""


def ask_again_after(task: TaskSnapshot, now: datetime) -> timedelta:
    """How long a client should wait before it asks for an unfinished task again.

    Args:
        task: As it stands.
        now: Database time.
    """
    most = _MOST
    if task.usual is not None and task.started_at is not None:
        is_late = now >= task.started_at + task.usual
        most = _MOST_LATE if is_late else _MOST
    wait = VIEW_AGE  # before that the same state would be answered from memory
    if task.next_ask_at is not None and task.next_ask_at > now:
        wait = task.next_ask_at - now + _ANSWER
    elif task.status is TaskStatus.QUEUED and task.usual is not None:
        wait = task.usual / _PART_OF_USUAL
    return min(max(wait, VIEW_AGE), most)
