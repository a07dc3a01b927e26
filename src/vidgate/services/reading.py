"""Tasks as clients read them, mostly from memory."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from vidgate.constants import VIEW_AGE, VIEW_LIMIT
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import TaskNotFoundError
from vidgate.models.ids import parse_public_id
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.content_links import ContentLinks

__all__ = ["TaskReader", "TaskView"]


@dataclass(slots=True)
class TaskView:
    """A state of a task, and what dialects made of it.

    Attributes:
        encodings: By dialect, the bytes it answers with; filled by the dialects.
    """

    snapshot: TaskSnapshot
    read_at: float
    encodings: dict[str, bytes] = field(default_factory=dict)


class TaskReader:
    """Remembers states: unfinished ones for two seconds, final ones until there are too many.

    A state never goes back in time here: one with a lower revision than the last is not used.

    Args:
        monotonic: Seconds that only grow.
        links: Stand in for what clients cannot open; `None` to show everything as it is.
    """

    def __init__(
        self,
        tasks: TaskStore,
        *,
        monotonic: Callable[[], float],
        links: ContentLinks | None = None,
    ) -> None:
        self._tasks = tasks
        self._links = links
        self._monotonic = monotonic
        self._views: OrderedDict[str, TaskView] = OrderedDict()

    def cached(self, public_id: str, account_id: UUID) -> TaskView | None:
        """The state if memory has it; costs no await. `None` says nothing about the task."""
        view = self._views.get(public_id)
        if view is None or view.snapshot.account_id != account_id:
            return None
        if view.snapshot.status.is_final and view.read_at > float("-inf"):
            return view
        age = self._monotonic() - view.read_at
        return view if age < VIEW_AGE.total_seconds() else None

    async def read(self, public_id: str, account_id: UUID) -> TaskView:
        """The state of an account's task.

        Raises:
            TaskNotFoundError: There is no such task, or it is another account's.
            DatabaseUnavailableError: It could not be read.
        """
        view = self.cached(public_id, account_id)
        if view is not None:
            return view
        task_id = parse_public_id("task_", public_id)
        # Taken before the read: what happens during it makes the view older, never younger.
        now = self._monotonic()
        snapshot = await self._tasks.snapshot(task_id) if task_id else None
        if snapshot is None or snapshot.account_id != account_id:
            raise TaskNotFoundError(f"There is no task {public_id[:40]!r}.")
        if self._links is not None:
            snapshot = self._links.publish(snapshot)
        return self._remember(public_id, TaskView(snapshot, now))

    def evict(self, public_id: str) -> None:
        """Read anew next time, because something changed; the last revision stays known."""
        view = self._views.get(public_id)
        if view is not None:
            view.read_at = float("-inf")

    def evict_all(self) -> None:
        """Read everything unfinished anew: hints may have been missed."""
        for public_id, view in self._views.items():
            if not view.snapshot.status.is_final:
                self.evict(public_id)

    def _remember(self, public_id: str, view: TaskView) -> TaskView:
        known = self._views.get(public_id)
        if known is not None and _is_older(view.snapshot, known.snapshot):
            known.read_at = view.read_at
            return known
        self._views[public_id] = view
        self._views.move_to_end(public_id)
        if len(self._views) > VIEW_LIMIT:
            self._views.popitem(last=False)
        return view


def _is_older(snapshot: TaskSnapshot, known: TaskSnapshot) -> bool:
    return (snapshot.revision, snapshot.progress) < (known.revision, known.progress)
