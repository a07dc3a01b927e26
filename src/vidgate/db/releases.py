"""Leases given back together: each commit waits for the disk, however little it writes."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

from vidgate.db import attempt_statements as sql
from vidgate.db.engine import Database
from vidgate.exceptions import DatabaseUnavailableError

__all__ = ["Releases"]

_Release: TypeAlias = tuple[Mapping[str, Any], asyncio.Future[bool]]

_MOST: Final = 200
"""Rows of one statement: some ten milliseconds of work."""


class Releases:
    """Writes one statement at a time; what comes while it runs goes with the next.

    Where little is to be written nothing waits, and where there is much a statement takes it all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Release] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, values: Mapping[str, Any]) -> bool:
        """Give one lease back.

        Args:
            values: Of the binds of `RELEASE`.

        Returns:
            Whether the lease was still held; otherwise nothing was changed.
        """
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((values, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await written

    async def settle(self) -> None:
        """Wait until nothing is being written."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        while self._waiting:
            batch: dict[UUID, _Release] = {}
            later: list[_Release] = []
            for one in self._waiting:
                values, written = one
                if len(batch) == _MOST or values["attempt_id"] in batch:
                    later.append(one)
                elif not written.done():  # else whoever wanted it has gone
                    batch[values["attempt_id"]] = one
            self._waiting = later
            await self._write_batch(list(batch.values()))
        self._writing = None

    async def _write_batch(self, batch: list[_Release]) -> None:
        try:
            held = await self._write_rows([values for values, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is raised to whom it concerns
            if len(batch) > 1 and not isinstance(error, DatabaseUnavailableError):
                # One that cannot be written must not keep the others from it.
                for one in batch:
                    await self._write_batch([one])
                return
            for _, written in batch:
                if not written.done():
                    written.set_exception(error)
        else:
            for values, written in batch:
                if not written.done():
                    written.set_result(values["attempt_id"] in held)

    async def _write_rows(self, rows: list[Mapping[str, Any]]) -> set[UUID]:
        """The attempts whose lease was still held."""
        if not rows:
            return set()
        binds: dict[str, Any] = {name: [row[name] for row in rows] for name in sql.RELEASE.names}
        return {row["id"] for row in await self._database.fetch(sql.RELEASE, **binds)}
