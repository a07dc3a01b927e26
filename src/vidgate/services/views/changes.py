"""Hints that a task changed: to this process at once, to the others by NOTIFY."""

from uuid import UUID

from vidgate.db.notifications import Notifier
from vidgate.models.ids import public_id
from vidgate.services.views.reading import TaskReader

__all__ = ["Changes"]


class Changes:
    """Tells readers that a state they remember is old. Nothing depends on it being heard.

    Args:
        notifier: To the other processes; `None` where the database offers no LISTEN.
    """

    def __init__(self, reader: TaskReader, notifier: Notifier | None) -> None:
        self._reader = reader
        self._notifier = notifier

    def changed(self, task_id: UUID) -> None:
        """Say so, after the commit."""
        name = public_id("task_", task_id)
        self._reader.evict(name)
        if self._notifier is not None:
            self._notifier.send(name)
