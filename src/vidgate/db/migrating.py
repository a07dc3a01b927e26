"""Bringing the schema of a database up to the one of this version."""

import asyncio
import threading
from enum import StrEnum
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import vidgate
from vidgate.db.engine import Database, Statement, translating
from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError

__all__ = [
    "LOCK_KEY",
    "LOCK_SECONDS",
    "WAIT_SECONDS",
    "SchemaState",
    "migrate",
    "migrations_directory",
    "require_current",
    "schema_state",
]

_log = structlog.get_logger(__name__)

LOCK_KEY: Final = 0x76_69_64_67_61_74_65
"""The advisory lock under which a database is migrated: "vidgate" as a number."""

LOCK_SECONDS: Final = 5
"""The longest wait for a table in use. Meanwhile everybody else waits for it behind us."""

WAIT_SECONDS: Final = 120
"""The longest wait for another process that migrates."""

_TRIES: Final = 6
"""How often a migration that found a table in use is begun."""

_PAUSE_SECONDS: Final = 1.0
"""The pause before it is begun again, in which those who waited get their turn."""

_REVISIONS: Final = Statement(text("SELECT version_num FROM alembic_version"))

_one_at_a_time: Final = threading.Lock()
"""Alembic keeps what it is doing in globals."""


class SchemaState(StrEnum):
    """How the schema of a database relates to this version of vidgate."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"
    """A newer version has migrated it. Accepted: migrations only expand what an older one uses."""


def migrations_directory() -> Path:
    """Find the migrations: in the installed package, or beside `src` in a checkout.

    Raises:
        ConfigurationError: If neither is there.
    """
    package = Path(vidgate.__file__).parent
    for directory in (package / "migrations", package.parents[1] / "migrations"):
        if (directory / "env.py").is_file():
            return directory
    raise ConfigurationError("This installation of vidgate has no migrations; install it again.")


async def schema_state(database: Database) -> SchemaState:
    """Compare the revision of a database with ours.

    Raises:
        DatabaseUnavailableError: If PostgreSQL does not answer.
    """
    try:
        found = {row["version_num"] for row in await database.fetch(_REVISIONS)}
    except asyncpg.UndefinedTableError:
        return SchemaState.BEHIND
    scripts = ScriptDirectory.from_config(_config())
    if found == set(scripts.get_heads()):
        return SchemaState.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return SchemaState.BEHIND if found <= known else SchemaState.AHEAD


async def require_current(database: Database) -> None:
    """Refuse a database that is behind.

    Raises:
        ConfigurationError: If it is.
        DatabaseUnavailableError: If PostgreSQL does not answer.
    """
    if await schema_state(database) is SchemaState.BEHIND:
        raise ConfigurationError(
            "The database is older than this version of vidgate; run `vidgate migrate`."
        )


async def migrate(url: str) -> None:
    """Bring a database up to this version, in one transaction; ahead of it is left as it is.

    Several processes may call it at once: one does it and the others wait.

    Raises:
        ConfigurationError: If the URL cannot be read, or the login or database is refused, or the
            role lacks rights.
        DatabaseUnavailableError: If PostgreSQL does not answer, or tables stay in use.
    """
    for _ in range(_TRIES):
        database = await Database.connect(url, pool_size=1)
        try:
            state = await schema_state(database)
        finally:
            await database.aclose()
        if state is not SchemaState.BEHIND:
            return
        try:
            with translating:
                await asyncio.to_thread(_upgrade, url)
        except CommandError:
            _log.info("Another version has migrated the database meanwhile")
        except DBAPIError as error:
            code = getattr(error.orig, "sqlstate", None)
            if code == asyncpg.LockNotAvailableError.sqlstate:
                _log.warning("A table is in use; the migration will be tried again")
                await asyncio.sleep(_PAUSE_SECONDS)
            elif error.connection_invalidated:
                raise DatabaseUnavailableError("PostgreSQL went away during a migration") from error
            else:
                with translating:
                    raise getattr(error.orig, "__cause__", None) or error from None
        else:
            _log.info("Database migrated")
            return
    raise DatabaseUnavailableError("The database could not be migrated: its tables stay in use.")


def _upgrade(url: str) -> None:
    config = _config()
    config.attributes["url"] = url
    with _one_at_a_time:
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
