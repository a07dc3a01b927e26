"""What an account has, and what was spent of it, as its tokens may know it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vidgate.db.accounts import AccountStore
from vidgate.db.clock import Clock
from vidgate.db.ledger import LedgerStore
from vidgate.db.limits import LimitStore
from vidgate.db.usage import UsageStore
from vidgate.models.accounts import Account, Caller
from vidgate.models.limits import LimitUse
from vidgate.models.money import Balance
from vidgate.models.usage import Grouping, UsageKey, UsagePage, UsageQuery

__all__ = ["Spending", "Standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a token's account has.

    Attributes:
        balance: `None` if it pays afterwards.
        limits: Those of the account and of the token.
    """

    account: Account
    balance: Balance | None
    limits: Sequence[LimitUse]


class Spending:
    """Answers what callers may know of money."""

    def __init__(
        self,
        *,
        accounts: AccountStore,
        ledger: LedgerStore,
        limits: LimitStore,
        usage: UsageStore,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._limits = limits
        self._usage = usage
        self._clock = clock

    async def standing(self, caller: Caller) -> Standing:
        """What the caller's account has now."""
        account = await self._accounts.account(caller.account_id)
        assert account is not None  # noqa: S101 - accounts are never deleted
        balance = await self._ledger.balance(caller.account_id)
        uses = await self._limits.uses(caller.account_id, caller.token.id, now=self._clock.now())
        return Standing(account=account, balance=balance, limits=uses)

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
        return await self._usage.page(
            UsageQuery(
                sight=caller.sight,
                since=since,
                until=until,
                group_by=group_by,
                after=after,
                limit=limit,
            )
        )

    async def charged(self, caller: Caller) -> int:
        """What was charged in all for what the caller sees, in millionths."""
        return await self._usage.charged(caller.sight)
