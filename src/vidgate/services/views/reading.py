"""Tasks as clients read them, mostly from memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from vidgate.constants import CACHE_WINDOW, VIEW_AGE
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import ConflictError, TaskNotFoundError
from vidgate.models.accounts import Sight
from vidgate.models.ids import parse_public_id, public_id
from vidgate.models.requests import key_within
from vidgate.models.tasks import TaskPage, TaskQuery, TaskSnapshot
from vidgate.services.views.absences import Absences
from vidgate.services.views.cache import TaskView, ViewCache
from vidgate.services.views.content_links import ContentLinks
from vidgate.services.views.page_ends import PageEnds
from vidgate.services.views.shared_reads import SharedReads

__all__ = ["TaskReader", "TaskView"]


class TaskReader:
    """Remembers states: unfinished ones for two seconds, final ones while there is room.

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
        self._reads = SharedReads(tasks)
        self._links = links
        self._monotonic = monotonic
        self._refreshed = float("-inf")
        self._views = ViewCache()
        self._absences = Absences(monotonic)
        self._page_ends = PageEnds(monotonic)

    def cached(self, public_id: str, sight: Sight) -> TaskView | None:
        """The state if memory has it; costs no await. `None` says nothing about the task."""
        view = self._views.get(public_id)
        if view is None or not sight.covers(view.snapshot):
            return None
        if view.snapshot.status.is_final and view.read_at > float("-inf"):
            return view
        age = self._monotonic() - view.read_at
        return view if age < VIEW_AGE.total_seconds() else None

    async def read(self, public_id: str, sight: Sight) -> TaskView:
        """The state of a task.

        Raises:
            TaskNotFoundError: There is no such task in sight.
            DatabaseUnavailableError: It could not be read.
        """
        return self.keep(await self.peek(public_id, sight))

    async def peek(self, public_id: str, sight: Sight) -> TaskView:
        """The same for who may tell nobody: it is not remembered before it is kept.

        Raises:
            TaskNotFoundError: There is no such task in sight.
            DatabaseUnavailableError: It could not be read.
        """
        view = self.cached(public_id, sight)
        if view is not None:
            return view
        if self._absences.has(public_id, sight):
            error = _not_found(public_id)
            error.is_told = True
            raise error
        task_id = parse_public_id("task_", public_id)
        # Taken before the read: what happens during it makes the view older, never younger.
        now, drops = self._monotonic(), self._absences.drops
        snapshot = await self._reads.read(task_id) if task_id else None
        if snapshot is None or not sight.covers(snapshot) or snapshot.removed:
            self._absences.put(public_id, sight, now, drops)
            raise _not_found(public_id)
        return TaskView(self._publish(snapshot), now)

    def keep(self, view: TaskView) -> TaskView:
        """Remember what is told; returns the newest that is known."""
        name = view.snapshot.public_id
        return view if self._views.get(name) is view else self._remember(name, view)

    async def of_keys(self, sight: Sight, keys: Sequence[str]) -> dict[str, TaskSnapshot]:
        """The tasks that were made by these idempotency keys, as far as they are known.

        Raises:
            DatabaseUnavailableError: They could not be read.
        """
        found: dict[str, TaskSnapshot] = {}
        own = {key_within(key, sight): key for key in keys}
        for key, task_id in (await self._tasks.of_keys(sight.account_id, list(own))).items():
            try:
                view = await self.read(public_id("task_", task_id), sight)
            except TaskNotFoundError:  # it was refused, or removed
                continue
            found[own[key]] = view.snapshot
        return found

    async def page(self, sight: Sight, query: TaskQuery) -> TaskPage:
        """List the tasks in sight.

        Raises:
            TaskNotFoundError: `query.after` or `query.before` is no task in sight.
            DatabaseUnavailableError: They could not be read.
        """
        after = await self._place(query.after, sight, param="after")
        before = await self._place(query.before, sight, param="before")
        wanted = query
        if query.offset:
            after, offset = self._page_ends.before(sight, query)
            wanted = replace(query, offset=offset)
        page = await self._tasks.page(sight, wanted, after=after, before=before)
        if page.has_more and page.tasks:
            self.page_ended(sight, query, page.tasks[-1])
        return replace(page, tasks=tuple(self._publish(task) for task in page.tasks))

    def page_ended(self, sight: Sight, query: TaskQuery, last: TaskSnapshot) -> None:
        """Let the next numbered page begin behind this task, with which a page was cut.

        Args:
            sight: Which tasks there are.
            query: What was asked for; nothing is remembered of a part that has no number.
            last: The last task that was shown.
        """
        if query.after is None and query.before is None:
            self._page_ends.add(sight, query, last.id)

    async def _place(self, name: str | None, sight: Sight, *, param: str) -> UUID | None:
        """Where a task stands in the list."""
        if name is None:
            return None
        task_id = parse_public_id("task_", name)
        known = await self._tasks.snapshot(task_id) if task_id else None
        # Also behind one that was removed meanwhile: a list is often deleted page by page.
        if known is None or not sight.covers(known):
            raise _not_found(name, param=param)
        return task_id

    async def remove(self, public_id: str, sight: Sight) -> None:
        """Take a final task from its client; the operator still sees it.

        Raises:
            TaskNotFoundError: There is no such task in sight.
            ConflictError: It is not final.
            DatabaseUnavailableError: It could not be written.
        """
        task = (await self.read(public_id, sight)).snapshot
        if not task.status.is_final:
            raise ConflictError(
                "The task is not finished yet; wait for its end, or cancel it, then delete it.",
                code="task_not_finished",
            )
        if not await self._tasks.remove(task.id):
            raise _not_found(public_id)
        self.forget(task.id)

    async def refresh(self) -> None:
        """Forget what other processes removed or changed although it was final."""
        started = self._monotonic()
        if started - self._refreshed > CACHE_WINDOW.total_seconds():
            # More was missed than is looked back.
            self._views.clear()
        for task_id in await self._tasks.amended(CACHE_WINDOW):
            self.forget(task_id)
        self._refreshed = started

    def forget(self, task_id: UUID) -> None:
        """Read a task anew next time, also one that is final."""
        self._views.drop(public_id("task_", task_id))

    def remember(self, snapshot: TaskSnapshot, read_at: float) -> TaskView:
        """Take over a state that was read from the database; returns the newest that is known.

        Args:
            snapshot: As it was read.
            read_at: Seconds, when it was asked for.
        """
        return self._remember(snapshot.public_id, TaskView(self._publish(snapshot), read_at))

    def confirm(self, names: Iterable[str], read_at: float) -> None:
        """Take note that the states of these tasks were still the newest then.

        Args:
            names: Of tasks that have not changed.
            read_at: Seconds, when they were asked for.
        """
        for name in names:
            view = self._views.get(name)
            if view is not None and float("-inf") < view.read_at < read_at:
                view.read_at = read_at

    def evict(self, public_id: str) -> None:
        """Read anew next time, because something changed; the last revision stays known."""
        self._absences.drop(public_id)
        view = self._views.get(public_id)
        if view is not None:
            view.read_at = float("-inf")

    def evict_all(self) -> None:
        """Read everything unfinished anew: hints may have been missed."""
        self._absences.clear()
        for view in self._views:
            if not view.snapshot.status.is_final:
                view.read_at = float("-inf")

    def _publish(self, task: TaskSnapshot) -> TaskSnapshot:
        return task if self._links is None else self._links.publish(task)

    def _remember(self, public_id: str, view: TaskView) -> TaskView:
        known = self._views.get(public_id)
        if known is not None and _is_older(view.snapshot, known.snapshot):
            known.read_at = view.read_at
            return known
        self._views.put(public_id, view)
        return view


def _is_older(snapshot: TaskSnapshot, known: TaskSnapshot) -> bool:
    return (snapshot.revision, snapshot.progress) < (known.revision, known.progress)


def _not_found(public_id: str, *, param: str | None = None) -> TaskNotFoundError:
    return TaskNotFoundError(f"There is no task {public_id[:40]!r}.", param=param)
