"""What an account has, and what was spent of it, as its tokens may know it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from vidgate.db.accounts import AccountStore
from vidgate.db.ledger import LedgerStore
from vidgate.db.usage import UsageStore
from vidgate.models.accounts import Account, Caller
from vidgate.models.money import Balance
from vidgate.models.usage import Grouping, UsageKey, UsagePage, UsageQuery

__all__ = ["Spending", "Standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a token's account has.

    Attributes:
        balance: `None` if it pays afterwards.
        limits: Those of the account and of the token, as they are answered.
    """

    account: Account
    balance: Balance | None
    limits: Sequence[Mapping[str, Any]]


class Spending:
    """Answers what callers may know of money."""

    def __init__(self, *, accounts: AccountStore, ledger: LedgerStore, usage: UsageStore) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._usage = usage

    async def standing(self, caller: Caller) -> Standing:
        """What the caller's account has now."""
        account = await self._accounts.account(caller.account_id)
        assert account is not None  # noqa: S101 - accounts are never deleted
        balance = await self._ledger.balance(caller.account_id)
        return Standing(account=account, balance=balance, limits=await self._limits(caller))

    async def usage(
        self,
        caller: Caller,
        *,
        since: date,
        until: date,
        group_by: frozenset[Grouping],
        after: UsageKey | None,
        limit: int,
    ) -> UsagePage:
        """What was used of what the caller sees; see `UsageQuery`."""
        account_id, token_id = _seen(caller)
        return await self._usage.page(
            UsageQuery(
                account_id=account_id,
                token_id=token_id,
                since=since,
                until=until,
                group_by=group_by,
                after=after,
                limit=limit,
            )
        )

    async def charged(self, caller: Caller) -> int:
        """What was charged in all for what the caller sees, in millionths."""
        return await self._usage.charged(*_seen(caller))

    async def _limits(self, _caller: Caller) -> Sequence[Mapping[str, Any]]:
        """The limits of the caller's account and token, with their use."""
        return ()


def _seen(caller: Caller) -> tuple[UUID, UUID | None]:
    """Whose use a caller sees: its account's, and of which token, `None` for all of them."""
    return caller.account_id, None
