"""How many processes serve at the moment."""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from vidgate.db.engine import Database, Statement

__all__ = ["ReplicaStore"]

_BEAT: Final = Statement(
    text(
        """
        WITH mine AS (
            INSERT INTO replicas (id, seen_at) VALUES (CAST(:id AS uuid), now())
            ON CONFLICT (id) DO UPDATE SET seen_at = now()
        ), gone AS (
            DELETE FROM replicas WHERE seen_at < now() - interval '1 hour'
        )
        SELECT 1 + count(*) FROM replicas
        WHERE id <> CAST(:id AS uuid) AND seen_at > now() - interval '15 seconds'
        """
    )
)


class ReplicaStore:
    """Processes that gave a sign of life lately."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, replica_id: UUID) -> int:
        """Give one's own, and count all that did so, oneself among them."""
        count: int = await self._database.fetch_value(_BEAT, id=replica_id)
        return count
