"""Whether a server answers, and how many connections it has left."""

from sqlalchemy import text

from vidgate.db.engine import Database, Statement
from vidgate.exceptions import ConfigurationError

__all__ = ["ping", "require_connections"]

_LEFT = Statement(
    text(
        "SELECT current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int"
        " - (SELECT count(*)::int FROM pg_stat_activity"
        "    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS left_over"
    )
)

_PING = Statement(
    text(
        "SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean"
        " AND has_table_privilege('tasks', 'INSERT') AS is_writable"
    )
)


async def ping(database: Database) -> bool:
    """Ask for a sign of life, for at most two seconds.

    Returns:
        Whether tasks can be written, too: not in a standby, after a failover for instance, not in
        one that was made read-only, and not without the right to.

    Raises:
        DatabaseUnavailableError: The database cannot be reached.
    """
    is_writable: bool = await database.fetch_value(_PING, timeout=2)
    return is_writable


async def require_connections(database: Database, needed: int) -> None:
    """Refuse to start what the server cannot carry.

    Args:
        database: Connected; its own connection is counted as free.
        needed: What all processes to be started may open together.

    Raises:
        ConfigurationError: The server has fewer left.
    """
    left = await database.fetch_value(_LEFT)
    if needed > left:
        raise ConfigurationError(
            f"PostgreSQL has {left} connections left and {needed} would be needed; lower "
            "VIDGATE_DB_POOL or --workers, or raise max_connections."
        )
