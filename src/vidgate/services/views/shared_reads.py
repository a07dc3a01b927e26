"""Tasks read for many who each ask for one, by few statements."""

import asyncio
from itertools import islice
from uuid import UUID

from vidgate.constants import READS_AT_ONCE, READS_BATCH
from vidgate.db.tasks import TaskStore
from vidgate.models.tasks import TaskSnapshot

__all__ = ["SharedReads"]


class SharedReads:
    """Reads at once for whoever comes alone; who comes while others read is in the next statement.

    However many ask, they take a few connections of the pool.
    """

    def __init__(self, tasks: TaskStore) -> None:
        self._tasks = tasks
        self._wanted: dict[UUID, asyncio.Future[TaskSnapshot | None]] = {}
        self._reading: set[asyncio.Task[None]] = set()

    async def read(self, task_id: UUID) -> TaskSnapshot | None:
        """Read a task, by a statement that begins after this was called.

        Returns:
            `None` where there is no such task.

        Raises:
            DatabaseUnavailableError: It could not be read.
        """
        wanted = self._wanted.get(task_id)
        if wanted is None:
            wanted = self._wanted[task_id] = asyncio.get_running_loop().create_future()
        if len(self._reading) < READS_AT_ONCE:
            reading = asyncio.create_task(self._read_all())
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)
        # Others may ask for the same: who leaves must not take it from them.
        return await asyncio.shield(wanted)

    async def _read_all(self) -> None:
        while self._wanted:
            some = dict(islice(self._wanted.items(), READS_BATCH))
            for task_id in some:
                del self._wanted[task_id]
            try:
                found = await self._tasks.snapshots(list(some))
            except BaseException as error:
                for waiting in some.values():
                    waiting.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                for task_id, waiting in some.items():
                    waiting.set_result(found.get(task_id))
