"""Whether a database answers, and whether it can be written."""

import pytest

from vidgate.db.capacity import ping
from vidgate.db.engine import Database
from vidgate.exceptions import DatabaseUnavailableError


async def test_a_database_that_can_be_written(database: Database) -> None:
    assert await ping(database) is True


async def test_one_that_can_only_be_read(database_url: str) -> None:
    url = f"{database_url}&default_transaction_read_only=on"
    database = await Database.connect(url, pool_size=1)
    try:
        assert await ping(database) is False
    finally:
        await database.aclose()


async def test_one_that_does_not_answer(database_url: str) -> None:
    database = await Database.connect(database_url, pool_size=1)
    await database.aclose()

    with pytest.raises(DatabaseUnavailableError):
        await ping(database)
