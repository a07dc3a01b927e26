"""Hints that a task changed: to this process at once, to the others by NOTIFY."""

from collections.abc import Callable
from uuid import UUID

from vidgate.db.notifications import Notifier
from vidgate.models.ids import public_id
from vidgate.services.views.reading import TaskReader

__all__ = ["Changes"]


class Changes:
    """Tells readers that a state they remember is old. Nothing depends on it being heard.

    Args:
        notifier: To the other processes; `None` where the database offers no LISTEN.
        on_change: Called after each.
    """

    def __init__(
        self,
        reader: TaskReader,
        notifier: Notifier | None,
        *,
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        self._reader = reader
        self._notifier = notifier
        self._on_change = on_change

    def changed(self, task_id: UUID) -> None:
        """Say so, after the commit."""
        name = public_id("task_", task_id)
        self._reader.evict(name)
        if self._notifier is not None:
            self._notifier.send(name)
        self._on_change()
