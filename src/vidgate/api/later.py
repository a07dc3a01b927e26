"""What a request leaves to be done outside of the layers: it waits, and thousands do so at once.

Each layer on the way to a route is a frame that is held until the route returns. A route that has
to wait returns instead, and says what comes later; once there is something to do it is called
again, through all the layers.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Final

from starlette.types import Receive, Scope, Send

__all__ = ["GONE", "Later", "do_later", "gone_of", "let_go", "of_before", "until_gone"]

GONE: Final = "gone"
"""In the state of a request, by a server that can tell it cheaply: makes a future that is done once
the client has gone."""

_LATER: Final = "later"
_NEEDED: Final = frozenset({b"host", b"if-none-match", b"origin"})
"""The headers that an answer depends on once its request was let in."""


class Later(ABC):
    """What is to be done after a route has returned without an end of its answer."""

    __slots__ = ()

    @abstractmethod
    async def go_on(self, gone: asyncio.Future[Any], send: Send) -> bool:
        """Wait, or send what there is to send.

        Args:
            gone: Done when the client has gone.
            send: Goes past all layers but the outermost.

        Returns:
            Whether the route is to be called once more; `False` ends the request.
        """

    @abstractmethod
    def close(self) -> None:
        """Give up what is held; called once at the end, whatever happened."""


def do_later(scope: Scope, later: Later) -> None:
    """Have something done after the layers have returned."""
    scope["state"][_LATER] = later


def of_before(scope: Scope) -> Later | None:
    """What the route said that comes later; `None` where it was not called yet."""
    later: Later | None = scope["state"].get(_LATER)
    return later


def let_go(scope: Scope) -> None:
    """Forget what only routing and authentication needed of a request; this may take an hour."""
    scope.pop("path_params", None)
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    # The server has the same list.
    headers[:] = [header for header in headers if header[0] in _NEEDED]


def gone_of(scope: Scope, receive: Receive, *, has_body: bool) -> asyncio.Future[Any]:
    """What is done once the client has gone; to be cancelled after use."""
    make = scope["state"].get(GONE)
    if make is None or has_body:
        return asyncio.ensure_future(until_gone(receive))
    gone: asyncio.Future[Any] = make()
    return gone


async def until_gone(receive: Receive) -> None:
    """Return once the client has closed its connection; what it still sends is not read."""
    while (await receive())["type"] != "http.disconnect":
        pass
