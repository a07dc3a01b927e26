"""The executor: statements compiled once by SQLAlchemy Core, run by asyncpg on a small pool.

What every caller may rely on:

- A statement is a module constant with named binds. Binding the wrong names is a `TypeError`.
- Values in a Core statement (`table.c.status == "queued"`) are written into the SQL, so that
  partial indexes are used; only `bindparam("name")` and `:name` become parameters.
- Whatever keeps PostgreSQL from answering is a `DatabaseUnavailableError`; what PostgreSQL answers
  (a constraint, a deadlock, a serialization failure) passes as it is.
- Values go to asyncpg as they are: `None` is always SQL's `NULL`, also for `jsonb`.
"""
# ruff: noqa: ASYNC109 - `timeout` is handed to asyncpg, which cancels the statement on the server

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import asyncpg
from sqlalchemy import BindParameter, ClauseElement, TextClause
from sqlalchemy.dialects.postgresql.asyncpg import (  # the dialect that writes `$1` and casts
    PGCompiler_asyncpg,
    PGDialect_asyncpg,
)
from typing_extensions import override

from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError

__all__ = [
    "UNAVAILABLE",
    "Database",
    "DeadlockDetected",
    "Json",
    "Record",
    "SerializationFailure",
    "Statement",
    "Transaction",
    "UniqueViolation",
    "asyncpg_url",
    "describe",
    "open_connection",
    "translating",
]

Record: TypeAlias = asyncpg.Record
"""A row; its values are read by column name or by position."""

UniqueViolation = asyncpg.UniqueViolationError
"""A row with the same key exists; `constraint_name` says which key."""

DeadlockDetected = asyncpg.DeadlockDetectedError
SerializationFailure = asyncpg.SerializationError

_COMMAND_SECONDS: Final = 10.0
"""The longest wait for one statement. Ours take milliseconds: a longer one is stuck."""

_ACQUIRE_SECONDS: Final = 10.0
"""The longest wait for a free connection, opening one included."""

_CLOSE_SECONDS: Final = 5.0
"""The longest wait for statements under way at close; then connections are cut."""

_MAX_QUERIES: Final = 1_000_000
"""After so many a connection is replaced: often enough to bound the memory of its backend, and not
every few seconds under load, as asyncpg's 50,000 would."""

_STATEMENT_CACHE: Final = 512
"""Prepared statements kept per connection; above the number of statements in this package."""

UNAVAILABLE: Final = (
    OSError,  # refused, reset, no such socket; also TimeoutError
    asyncpg.InterfaceError,  # connection or pool closed
    asyncpg.InternalClientError,  # the protocol was cut in the middle
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, crashed, statement cancelled
    asyncpg.InsufficientResourcesError,  # too many connections, disk full, out of memory
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # the old primary after a failover
)

_LOGIN_REFUSED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


_UNREAD_BIND: Final = re.compile(r"(?<![:\w]):[A-Za-z_]\w*(?=::)")
"""A bind with a cast behind it, which `sqlalchemy.text` silently leaves as it is."""


class _Compiler(PGCompiler_asyncpg):
    """Writes values that a statement already holds into the SQL."""

    @override
    def visit_bindparam(self, bindparam: BindParameter[Any], *args: Any, **kwargs: Any) -> str:
        if not bindparam.required and not bindparam.expanding and bindparam.callable is None:
            kwargs["literal_binds"] = True
        visit: Callable[..., str] = super().visit_bindparam
        return visit(bindparam, *args, **kwargs)


class _Dialect(PGDialect_asyncpg):
    statement_compiler = _Compiler
    supports_statement_cache = False


_DIALECT: Final = _Dialect()  # type: ignore[no-untyped-call] # SQLAlchemy has no types there


class Statement:
    """One SQL statement, compiled when it is made.

    Args:
        source: A Core statement or `sqlalchemy.text()`, with a named bind for each value to come.
            A bind that occurs twice is one parameter.

    Raises:
        TypeError: If it uses `in_()` or Python-side defaults, or has a bind called `timeout`.
    """

    __slots__ = ("_expected", "names", "source", "sql")

    def __init__(self, source: ClauseElement) -> None:
        compiled = source.compile(dialect=_DIALECT)
        assert isinstance(compiled, _Compiler)  # noqa: S101 - for the type checker
        self.source = source
        self.sql = str(compiled)
        self.names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._expected = frozenset(self.names)
        if compiled.post_compile_params:
            raise TypeError(f"use = ANY(:array) and never in_(): {self.sql}")
        if compiled.insert_prefetch or compiled.update_prefetch:
            raise TypeError(f"columns must not have Python-side defaults: {self.sql}")
        if isinstance(source, TextClause) and (unread := _UNREAD_BIND.search(self.sql)):
            raise TypeError(f"write CAST({unread[0]} AS …), or \\: for a colon: {self.sql}")
        if "timeout" in self._expected:
            raise TypeError(f"a bind cannot be called timeout: {self.sql}")

    @override
    def __repr__(self) -> str:
        return f"Statement({self.sql!r})"

    def arguments(self, binds: Mapping[str, Any]) -> list[Any]:
        """Put named values into the order of `$1`, `$2` and so on.

        Raises:
            TypeError: If a name is missing or unknown.
        """
        if binds.keys() != self._expected:
            missing = sorted(self._expected - binds.keys())
            extra = sorted(binds.keys() - self._expected)
            raise TypeError(f"binds missing: {missing}, unknown: {extra}, in: {self.sql}")
        return [binds[name] for name in self.names]


def asyncpg_url(url: str) -> str:
    """Read the accepted forms of a database URL into the one that asyncpg takes.

    Raises:
        ConfigurationError: If it is not a URL of PostgreSQL; the message does not repeat it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ConfigurationError(
            "VIDGATE_DATABASE_URL must look like postgresql://user:password@host:5432/database."
        )
    return f"postgresql://{rest}"


class _Translating:
    """Raises what keeps PostgreSQL from doing it as ours; a value of the wrong type passes."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, UNAVAILABLE) and not isinstance(error, ValueError):
            raise DatabaseUnavailableError(
                f"PostgreSQL could not be asked: {describe(error)}"
            ) from error
        if isinstance(error, asyncpg.InsufficientPrivilegeError):
            raise ConfigurationError(
                "The role of VIDGATE_DATABASE_URL lacks rights that vidgate needs:"
                f" {error.args[0]}."
            ) from error


translating: Final = _Translating()
"""`with translating:` around what asks PostgreSQL."""


def describe(error: BaseException) -> str:
    """Name an error; one that asyncpg itself made may repeat the URL, and is only named."""
    kind = type(error).__name__
    text = str(error) if isinstance(error, (OSError, asyncpg.PostgresError)) else ""
    return f"{kind}: {text}" if text else kind


def _affected(status: str) -> int:
    """Read the count at the end of a command tag, such as `UPDATE 3`."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdecimal() else 0


class Json(str):
    """JSON that is text already, for a `jsonb` column; `of` may be called in a thread."""

    __slots__ = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Json":
        """Write an object."""
        return cls(_dump_json(dict(document)))


def _dump_json(value: Any) -> str:
    if isinstance(value, Json):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


async def _keep(connection: asyncpg.Connection) -> None:
    """Reset nothing: a transaction is always closed by us, and session state is never changed."""


async def open_connection(url: str, **options: Any) -> asyncpg.Connection:
    """Open one connection, with the time zone and name that all of ours have."""
    return await asyncpg.connect(
        url, server_settings={"timezone": "UTC", "application_name": "vidgate"}, **options
    )


class _Executor:
    """What `Database` and `Transaction` share: the methods that run statements.

    Every method takes the values of the statement's binds by name, and optionally `timeout`, the
    seconds that the statement may take instead of the usual ten.
    """

    async def _run(
        self, method: str, statement: Statement, arguments: Sequence[Any], timeout: float | None
    ) -> Any:
        raise NotImplementedError

    async def fetch(
        self, statement: Statement, /, *, timeout: float | None = None, **binds: Any
    ) -> list[Record]:
        """Run a statement and return its rows."""
        rows: list[Record] = await self._run(
            "fetch", statement, statement.arguments(binds), timeout
        )
        return rows

    async def fetch_one(
        self, statement: Statement, /, *, timeout: float | None = None, **binds: Any
    ) -> Record | None:
        """Run a statement and return its first row, or `None`."""
        return await self._run("fetchrow", statement, statement.arguments(binds), timeout)

    async def fetch_value(
        self, statement: Statement, /, *, timeout: float | None = None, **binds: Any
    ) -> Any:
        """Run a statement and return the first column of its first row, `None` without rows."""
        return await self._run("fetchval", statement, statement.arguments(binds), timeout)

    async def execute(
        self, statement: Statement, /, *, timeout: float | None = None, **binds: Any
    ) -> int:
        """Run a statement and return how many rows it wrote (or read)."""
        status: str = await self._run("execute", statement, statement.arguments(binds), timeout)
        return _affected(status)

    async def execute_many(
        self,
        statement: Statement,
        rows: Iterable[Mapping[str, Any]],
        /,
        *,
        timeout: float | None = None,
    ) -> None:
        """Run a statement once per row of binds, all or none of them."""
        arguments = [statement.arguments(row) for row in rows]
        await self._run("executemany", statement, (arguments,), timeout)


class Transaction(_Executor):
    """One connection inside `BEGIN` and `COMMIT`; made by `Database.transaction`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @override
    async def _run(
        self, method: str, statement: Statement, arguments: Sequence[Any], timeout: float | None
    ) -> Any:
        with translating:
            return await getattr(self._connection, method)(
                statement.sql, *arguments, timeout=timeout
            )


class Database(_Executor):
    """A pool of connections to one database. Made by `connect`.

    Each of the methods runs one statement on a connection of its own and commits it. After a
    restart of the server the pool opens new connections by itself.
    """

    def __init__(
        self, pool: asyncpg.Pool, *, prepared_statements: bool, acquire_seconds: float
    ) -> None:
        self._pool = pool
        self._prepared_statements = prepared_statements
        self._acquire_seconds = acquire_seconds
        self._pool_size = pool.get_max_size()
        self._wanted = 0  # connections in use and waited for

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        pool_size: int = 5,
        prepared_statements: bool = True,
        command_seconds: float = _COMMAND_SECONDS,
        acquire_seconds: float = _ACQUIRE_SECONDS,
    ) -> "Database":
        """Open the pool and its first connection.

        Args:
            url: `postgresql://`, `postgres://` or `postgresql+asyncpg://`; the query `host` may be
                the directory of a unix socket.
            pool_size: The most connections that are open at once.
            prepared_statements: False behind a pooler that hands out connections by transaction;
                then each statement runs in a transaction and nothing outlives it.
            command_seconds: The longest wait for one statement.
            acquire_seconds: The longest wait for a free connection, opening one included.

        Raises:
            ConfigurationError: If the URL cannot be read, or the login or database is refused.
            DatabaseUnavailableError: If PostgreSQL does not answer.
        """

        async def prepare(connection: asyncpg.Connection) -> None:
            async with connection.transaction():  # a pooler must not change the server under way
                for name in ("json", "jsonb"):
                    await connection.set_type_codec(
                        name, schema="pg_catalog", encoder=_dump_json, decoder=json.loads
                    )

        try:
            pool = asyncpg.create_pool(
                asyncpg_url(url),
                min_size=0,
                max_size=pool_size,
                max_queries=_MAX_QUERIES,
                init=prepare,
                reset=_keep,
                connect=open_connection,
                timeout=acquire_seconds,
                command_timeout=command_seconds,
                statement_cache_size=_STATEMENT_CACHE if prepared_statements else 0,
            )
            await pool
            database = cls(
                pool, prepared_statements=prepared_statements, acquire_seconds=acquire_seconds
            )
            connection = await database._acquire()
            await pool.release(connection)
        except _LOGIN_REFUSED as error:
            raise ConfigurationError(
                f"PostgreSQL refuses the login or database of VIDGATE_DATABASE_URL: {error}"
            ) from None
        except ValueError:
            raise ConfigurationError(
                "VIDGATE_DATABASE_URL cannot be read;"
                " it must look like postgresql://user:password@host:5432/database."
            ) from None  # the cause may repeat the URL
        except UNAVAILABLE as error:
            raise DatabaseUnavailableError(
                f"PostgreSQL could not be asked: {describe(error)}"
            ) from error
        return database

    async def aclose(self) -> None:
        """Close all connections; what is under way has five seconds to end."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._pool.close()
        except (TimeoutError, *UNAVAILABLE):
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction (read committed); an exception inside rolls it back.

        Raises:
            DatabaseUnavailableError: If PostgreSQL cannot be asked. Raised by the commit, it leaves
                open whether the transaction was committed.
        """
        with translating:
            connection = await self._acquire()
        try:
            transaction = connection.transaction(isolation="read_committed")
            with translating:
                await transaction.start()
            try:
                yield Transaction(connection)
            except BaseException:
                with suppress(*UNAVAILABLE):  # a lost connection has rolled back by itself
                    await transaction.rollback()
                raise
            with translating:
                await transaction.commit()
        finally:
            await self._release(connection)

    @override
    async def _run(
        self, method: str, statement: Statement, arguments: Sequence[Any], timeout: float | None
    ) -> Any:
        if not self._prepared_statements:
            async with self.transaction() as transaction:
                return await transaction._run(method, statement, arguments, timeout)  # noqa: SLF001 - same family
        with translating:
            connection = await self._acquire()
            try:
                return await getattr(connection, method)(statement.sql, *arguments, timeout=timeout)
            finally:
                await self._release(connection)

    async def _acquire(self) -> asyncpg.Connection:
        self._wanted += 1
        try:
            if self._wanted <= self._pool_size:  # one is free, or about to be opened: spare a timer
                return await self._pool.acquire()
            async with asyncio.timeout(self._acquire_seconds):
                return await self._pool.acquire()
        except BaseException:
            self._wanted -= 1
            raise

    async def _release(self, connection: asyncpg.Connection) -> None:
        try:
            await self._pool.release(connection)
        except UNAVAILABLE:
            pass  # a lost connection leaves the pool; its statement has said so
        finally:
            self._wanted -= 1
