"""Price books by version, the accounts' factors, and the currency of all amounts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Text, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert

from vidgate.db.acts import write_act
from vidgate.db.engine import Database, Statement, Transaction
from vidgate.db.tables import accounts, channels, price_books, purchase_rates
from vidgate.models.acts import Act, Author
from vidgate.models.ids import CHANNEL_PREFIX, public_id

__all__ = ["PriceStore", "PurchaseBook"]

_LOCK = Statement(text("SELECT pg_advisory_xact_lock(hashtextextended('price books', 0))"))
_NEWEST = Statement(select(func.max(price_books.c.version)))
_READ = Statement(
    select(price_books.c.document).where(
        price_books.c.version == bindparam("version", type_=BigInteger)
    )
)
_ADD = Statement(
    insert(price_books)
    .values(
        document=bindparam("document", type_=JSONB),
        actor=bindparam("actor", type_=Text),
        reason=bindparam("reason", type_=Text),
    )
    .returning(price_books.c.version)
)
_FACTORS = Statement(select(accounts.c.id, accounts.c.factor).where(accounts.c.factor != text("1")))
_CURRENCY: Final = "currency"
_CLAIM_CURRENCY = Statement(
    text(
        """
        INSERT INTO facts (name, value) VALUES ('currency', CAST(:currency AS text))
        ON CONFLICT (name) DO UPDATE SET value =
            CASE WHEN EXISTS (SELECT 1 FROM entries) THEN facts.value ELSE excluded.value END
        RETURNING value
        """
    )
)


_PURCHASES = Statement(
    text(
        """
        SELECT DISTINCT ON (channel_id) id, channel_id, from_at, document FROM purchase_rates
        WHERE from_at <= coalesce(CAST(:at AS timestamptz), now())
        ORDER BY channel_id, from_at DESC, id DESC
        """
    )
)
_EVERY_PURCHASE = Statement(
    select(
        *(purchase_rates.c[name] for name in ("id", "channel_id", "from_at", "document"))
    ).order_by(purchase_rates.c.channel_id, purchase_rates.c.from_at, purchase_rates.c.id)
)
_ADD_PURCHASE = Statement(
    text(
        """
        INSERT INTO purchase_rates (channel_id, from_at, document, actor, reason)
        VALUES (CAST(:channel_id AS uuid), coalesce(CAST(:from_at AS timestamptz), now()),
                CAST(:document AS jsonb), CAST(:actor AS text), CAST(:reason AS text))
        RETURNING id, channel_id, from_at, document
        """
    )
)
_LOCK_CHANNEL = Statement(
    select(channels.c.id).where(channels.c.id == bindparam("id", type_=Uuid)).with_for_update()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseBook:
    """What a channel's account pays, from a moment on.

    Attributes:
        document: As a price book's.
    """

    id: int
    channel_id: UUID
    from_at: datetime
    document: Mapping[str, Any]


class PriceStore:
    """What things cost. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim_currency(self, currency: str) -> str:
        """Note the currency, unless money was moved in another; return the one that counts."""
        noted = await self._database.fetch_value(_CLAIM_CURRENCY, currency=currency)
        return str(noted)

    async def newest(self) -> int | None:
        """The version that counts, or `None`."""
        version: int | None = await self._database.fetch_value(_NEWEST)
        return version

    async def read(self, version: int) -> Mapping[str, Any]:
        """The document of a version.

        Raises:
            LookupError: There is none.
        """
        row = await self._database.fetch_one(_READ, version=version)
        if row is None:
            raise LookupError(version)
        document: Mapping[str, Any] = row["document"]
        return document

    async def add(self, document: Mapping[str, Any], by: Author) -> int:
        """Make a new version, which counts from now on, and return its number."""
        async with self._database.transaction() as transaction:
            await transaction.execute(_LOCK)
            return await self._add(transaction, document, by)

    async def add_first(self, document: Mapping[str, Any], by: Author) -> int:
        """Make the first version, unless there is one; return the number of what counts."""
        async with self._database.transaction() as transaction:
            await transaction.execute(_LOCK)
            newest: int | None = await transaction.fetch_value(_NEWEST)
            return newest or await self._add(transaction, document, by)

    async def _add(self, transaction: Transaction, document: Mapping[str, Any], by: Author) -> int:
        version: int = await transaction.fetch_value(
            _ADD, document=dict(document), actor=by.actor, reason=by.reason
        )
        await write_act(
            transaction,
            Act(author=by, name="price.import", subject="prices", after={"version": version}),
        )
        return version

    async def purchases(self, at: datetime | None = None) -> dict[UUID, PurchaseBook]:
        """The purchase books in force, by channel; at a moment, or now."""
        rows = await self._database.fetch(_PURCHASES, at=at)
        return {row["channel_id"]: PurchaseBook(**row) for row in rows}

    async def every_purchase(self) -> list[PurchaseBook]:
        """All purchase books, also those that are in force no more or not yet."""
        return [PurchaseBook(**row) for row in await self._database.fetch(_EVERY_PURCHASE)]

    async def add_purchase(
        self,
        channel_id: UUID,
        change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]],
        *,
        from_at: datetime | None,
        by: Author,
    ) -> PurchaseBook:
        """Change what a channel's account pays, from a moment on.

        Args:
            channel_id: Which.
            change: From the book that is in force then, if there is one, to the new one.
            from_at: When it begins, `None` for now.
            by: Who changes it, and why.
        """
        async with self._database.transaction() as transaction:
            await transaction.execute(_LOCK_CHANNEL, id=channel_id)
            rows = await transaction.fetch(_PURCHASES, at=from_at)
            before = next(
                (row["document"] for row in rows if row["channel_id"] == channel_id), None
            )
            row = await transaction.fetch_one(
                _ADD_PURCHASE,
                channel_id=channel_id,
                from_at=from_at,
                document=dict(change(before)),
                actor=by.actor,
                reason=by.reason,
            )
            assert row is not None  # noqa: S101 - it was inserted
            book = PurchaseBook(**row)
            told = {"purchase": book.id, "from": book.from_at.isoformat()}
            subject = public_id(CHANNEL_PREFIX, channel_id)
            await write_act(
                transaction, Act(author=by, name="price.cost", subject=subject, after=told)
            )
        return book

    async def factors(self) -> dict[UUID, Fraction]:
        """The accounts whose prices are not the book's, each with the factor on every price."""
        rows = await self._database.fetch(_FACTORS)
        return {row["id"]: Fraction(row["factor"]) for row in rows}
