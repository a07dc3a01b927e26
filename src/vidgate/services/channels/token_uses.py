"""When tokens were last used: noted in memory, written down once in a while."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from vidgate.db.accounts import AccountStore

__all__ = ["TokenUses"]

_SPACING: Final = timedelta(minutes=1)
"""Between two notes of one token, whichever processes it is used at."""


class TokenUses:
    """Knows which tokens are in use.

    Args:
        monotonic: Seconds that only grow.
    """

    def __init__(self, *, accounts: AccountStore, monotonic: Callable[[], float]) -> None:
        self._accounts = accounts
        self._monotonic = monotonic
        self._noted: dict[UUID, float] = {}
        self._pending: set[UUID] = set()

    def note(self, token_id: UUID) -> None:
        """Take note of a use; costs a look into memory."""
        now = self._monotonic()
        if now - self._noted.get(token_id, float("-inf")) >= _SPACING.total_seconds():
            self._noted[token_id] = now
            self._pending.add(token_id)

    async def write(self) -> None:
        """Write down what was noted.

        Raises:
            DatabaseUnavailableError: It could not be written; the next round tries again.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, set()
        try:
            await self._accounts.note_uses(pending, _SPACING)
        except BaseException:
            self._pending |= pending
            raise
