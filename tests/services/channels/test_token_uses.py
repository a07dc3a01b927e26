"""Uses of tokens: one note a minute, and none is lost to a database that is away."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from tests.support.engine import Engine
from tests.support.gateway import open_client

from vidgate.exceptions import DatabaseUnavailableError
from vidgate.services.channels.token_uses import TokenUses

ONE, TWO = UUID(int=1), UUID(int=2)


class Store:
    """Remembers what was written, where it is up."""

    def __init__(self) -> None:
        self.written: list[list[UUID]] = []
        self.is_up = True

    async def note_uses(self, token_ids: Iterable[UUID], spacing: timedelta) -> None:
        assert spacing == timedelta(minutes=1)
        if not self.is_up:
            raise DatabaseUnavailableError("down")
        self.written.append(sorted(token_ids))


async def test_a_use_is_written_once_a_minute() -> None:
    store, seconds = Store(), [0.0]
    uses = TokenUses(accounts=cast("Any", store), monotonic=lambda: seconds[0])

    for at in (0.0, 1.0, 59.9, 60.0, 61.0):
        seconds[0] = at
        uses.note(ONE)
        if at >= 1:
            uses.note(TWO)
        await uses.write()

    assert store.written == [[ONE], [TWO], [ONE], [TWO]]


async def test_what_could_not_be_written_is_written_later() -> None:
    store = Store()
    uses = TokenUses(accounts=cast("Any", store), monotonic=lambda: 0.0)
    store.is_up = False
    uses.note(ONE)
    with pytest.raises(DatabaseUnavailableError):
        await uses.write()

    store.is_up = True
    uses.note(TWO)
    await uses.write()

    assert store.written == [[ONE, TWO]]


async def test_every_request_is_a_use(engine: Engine) -> None:
    async with open_client(engine) as client:
        await client.get("/v1/models")
    await engine.services.token_uses.write()

    assert (await engine.operator.accounts.uses()).keys() == {engine.caller.token.id}
