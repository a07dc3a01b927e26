"""Hints that a task changed: to this process at once, to the others by NOTIFY."""

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from vidgate.db.notifications import Notifier
from vidgate.models.ids import public_id
from vidgate.services.views.reading import TaskReader

__all__ = ["Changes"]


class _Hinted(Protocol):
    def wake(self, name: str) -> None: ...

    def wake_all(self) -> None: ...


class Changes:
    """Tells readers that a state they remember is old, and wakes those who wait for another.

    Nothing depends on a hint being heard.

    Args:
        hinted: Who waits and listens.
        notifier: To the other processes; `None` where the database offers no LISTEN.
        on_change: Called after each change that this process made.
    """

    def __init__(
        self,
        reader: TaskReader,
        hinted: Sequence[_Hinted],
        notifier: Notifier | None,
        *,
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        self._reader = reader
        self._hinted = tuple(hinted)
        self._notifier = notifier
        self._on_change = on_change

    def changed(self, task_id: UUID) -> None:
        """Say so, after the commit."""
        name = public_id("task_", task_id)
        self.heard(name)
        if self._notifier is not None:
            self._notifier.send(name)
        self._on_change()

    def heard(self, name: str) -> None:
        """Take over what another process says of a task."""
        self._reader.evict(name)
        for one in self._hinted:
            one.wake(name)

    def missed(self) -> None:
        """Look at everything: hints may have been lost."""
        self._reader.evict_all()
        for one in self._hinted:
            one.wake_all()
