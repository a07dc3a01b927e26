"""Price books by version, the accounts' factors, and the currency of all amounts."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert

from vidgate.db.acts import write_act
from vidgate.db.engine import Database, Statement, Transaction
from vidgate.db.tables import accounts, price_books
from vidgate.models.acts import Act, Author

__all__ = ["PriceStore"]

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

    async def factors(self) -> dict[UUID, Fraction]:
        """The accounts whose prices are not the book's, each with the factor on every price."""
        rows = await self._database.fetch(_FACTORS)
        return {row["id"]: Fraction(row["factor"]) for row in rows}
