"""The states that a process remembers, within a budget of bytes."""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from vidgate.constants import VIEW_BASE_BYTES, VIEW_BYTES, VIEW_MOST_BYTES, VIEW_SHARE
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.views.content_links import BASE

__all__ = ["TaskView", "ViewCache", "is_large"]


def _nothing(_view: "TaskView") -> None:
    """What a view that nobody remembers says of its growth."""


@dataclass(slots=True)
class TaskView:
    """A state of a task, and what dialects made of it.

    Attributes:
        read_at: Seconds, when it was asked for.
        encodings: By dialect, the bytes it answers with: the pieces between which, as in any answer
            of ours, `BASE` stands. Each client has its own base put there.
        weight: Of the state itself, as JSON, in bytes; set when it is remembered.
        head: The headers that it is answered with, and until when they hold, in seconds of the
            process's own clock; `None` before they were made.
        grown: Told when a dialect has added its bytes.
    """

    snapshot: TaskSnapshot
    read_at: float
    encodings: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    weight: int = 0
    head: tuple[float, list[tuple[bytes, bytes]]] | None = None
    grown: Callable[["TaskView"], None] = field(default=_nothing, repr=False, compare=False)

    def keep(self, dialect: str, body: bytes) -> tuple[bytes, ...]:
        """Remember what a dialect answers with, and return its pieces."""
        pieces = tuple(body.split(BASE.encode()))
        self.encodings[dialect] = pieces
        self.grown(self)
        return pieces


@dataclass(slots=True)
class _Holding:
    """What one account has in memory."""

    sizes: OrderedDict[str, int] = field(default_factory=OrderedDict)
    size_bytes: int = 0


class ViewCache:
    """Forgets what was remembered longest ago; one account pushes out its own states first."""

    def __init__(self) -> None:
        self._views: OrderedDict[str, TaskView] = OrderedDict()
        self._holdings: dict[UUID, _Holding] = {}
        self.size_bytes = 0

    def __iter__(self) -> Iterator[TaskView]:
        """All that is remembered."""
        return iter(self._views.values())

    def get(self, name: str) -> TaskView | None:
        """The state that is remembered under a name."""
        return self._views.get(name)

    def put(self, name: str, view: TaskView) -> None:
        """Remember a state in the place of an older one, unless it is too large."""
        self.drop(name)
        view.weight = _weigh(view.snapshot)
        view.grown = self._grow
        if not _is_small(view):
            return
        account_id = view.snapshot.account_id
        self._views[name] = view
        holding = self._holdings.setdefault(account_id, _Holding())
        holding.sizes[name] = 0
        self._resize(name, view)

    def drop(self, name: str) -> None:
        """Forget a state."""
        view = self._views.pop(name, None)
        if view is None:
            return
        account_id = view.snapshot.account_id
        holding = self._holdings[account_id]
        size = holding.sizes.pop(name)
        holding.size_bytes -= size
        self.size_bytes -= size
        if not holding.sizes:
            del self._holdings[account_id]

    def clear(self) -> None:
        """Forget all."""
        self._views.clear()
        self._holdings.clear()
        self.size_bytes = 0

    def _grow(self, view: TaskView) -> None:
        name = view.snapshot.public_id
        if self._views.get(name) is not view:
            return  # it was forgotten, or replaced, while somebody still answered with it
        if _is_small(view):
            self._resize(name, view)
        else:
            self.drop(name)

    def _resize(self, name: str, view: TaskView) -> None:
        holding = self._holdings[view.snapshot.account_id]
        size = VIEW_BASE_BYTES + view.weight + _encoded(view)
        added = size - holding.sizes[name]
        holding.sizes[name] = size
        holding.size_bytes += added
        self.size_bytes += added
        while holding.size_bytes > VIEW_BYTES // VIEW_SHARE:
            self.drop(next(iter(holding.sizes)))
        while self.size_bytes > VIEW_BYTES:
            self.drop(next(iter(self._views)))


def is_large(task: TaskSnapshot) -> bool:
    """Whether a state is too large to be remembered."""
    return _weigh(task) > VIEW_MOST_BYTES


def _is_small(view: TaskView) -> bool:
    return max(view.weight, _encoded(view)) <= VIEW_MOST_BYTES


def _encoded(view: TaskView) -> int:
    return sum(len(piece) for pieces in view.encodings.values() for piece in pieces)


def _weigh(task: TaskSnapshot) -> int:
    """How large a state is, as JSON: what a client sent with it, and its links."""
    document = [dict(one) for one in (task.echo, task.asked, task.details, task.facts)]
    links = [output.result.url for output in task.outputs if output.result is not None]
    return len(json.dumps([document, links], ensure_ascii=False).encode(errors="replace"))
