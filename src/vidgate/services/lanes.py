"""Threads for heavy work, shared fairly."""

import asyncio
from collections.abc import Callable, Hashable
from typing import TypeVar
from weakref import WeakValueDictionary

__all__ = ["Lane"]

T = TypeVar("T")


class Lane:
    """Runs functions in threads: a few at once, and one at once for each owner.

    Whoever has much to do waits for itself; behind it others wait for one piece of its work.

    Args:
        width: How many run at once.
    """

    def __init__(self, width: int) -> None:
        self._free = asyncio.Semaphore(width)
        self._turns: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def run(self, owner: Hashable, function: Callable[..., T], *arguments: object) -> T:
        """Run a function in a thread, when it is its owner's turn."""
        turn = self._turns.get(owner)
        if turn is None:  # it lives as long as somebody waits for it
            turn = self._turns[owner] = asyncio.Lock()
        async with turn, self._free:
            return await asyncio.to_thread(function, *arguments)
