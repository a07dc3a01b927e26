"""The loop shape: it survives, it stops, and it lets a round finish."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from vidgate.exceptions import DatabaseUnavailableError
from vidgate.loops import Loop

AT_ONCE = timedelta()
NEVER = timedelta(days=1)


async def test_it_goes_on_after_an_exception() -> None:
    rounds = 0
    enough = asyncio.Event()

    async def round_() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 5:
            enough.set()
        raise RuntimeError(f"round {rounds}")

    loop = Loop("test", round_, AT_ONCE)
    loop.start()
    await enough.wait()

    assert loop.is_alive
    await loop.stop()
    assert not loop.is_alive


@pytest.mark.parametrize(
    ("error", "level"),
    [(DatabaseUnavailableError("It does not answer."), "warning"), (RuntimeError("?"), "error")],
)
async def test_an_outage_is_told_in_a_sentence(error: Exception, level: str) -> None:
    async def round_() -> None:
        raise error

    loop = Loop("test", round_, NEVER)
    with capture_logs() as logs:
        loop.start()
        await asyncio.sleep(0)
        await loop.stop()

    [entry] = logs
    assert (entry["log_level"], entry["error"]) == (level, str(error))
    assert bool(entry.get("exc_info")) is (level == "error")


async def test_it_stops_promptly() -> None:
    began = asyncio.Event()
    rounds = 0

    async def round_() -> None:
        nonlocal rounds
        rounds += 1
        began.set()

    loop = Loop("test", round_, NEVER)
    loop.start()
    await began.wait()

    async with asyncio.timeout(5):
        await loop.stop()

    assert rounds == 1


async def test_it_lets_the_current_round_finish() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def round_() -> None:
        began.set()
        await go_on.wait()
        done.append("whole")

    loop = Loop("test", round_, AT_ONCE)
    loop.start()
    await began.wait()
    stopping = asyncio.create_task(loop.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    go_on.set()
    await stopping

    assert done == ["whole"]


async def test_more_work_is_begun_without_a_pause() -> None:
    answers = [True, True, True, False]
    last = asyncio.Event()

    async def round_() -> bool:
        answer = answers.pop(0)
        if not answers:
            last.set()
        return answer

    loop = Loop("test", round_, NEVER)
    loop.start()
    async with asyncio.timeout(5):
        await last.wait()
    await loop.stop()

    assert answers == []


async def test_what_never_began_can_be_stopped() -> None:
    async def round_() -> None:
        raise AssertionError

    loop = Loop("test", round_, NEVER)
    await loop.stop()

    assert not loop.is_alive


async def test_a_stop_before_the_first_round_prevents_it() -> None:
    rounds = 0

    async def round_() -> None:
        nonlocal rounds
        rounds += 1

    loop = Loop("test", round_, AT_ONCE)
    loop.start()
    await loop.stop()

    assert rounds == 0


async def test_who_wakes_it_waits_for_no_interval() -> None:
    woken, again = asyncio.Event(), asyncio.Event()
    rounds = 0

    async def round_() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            woken.set()  # during a round: it is for the next one
        else:
            again.set()

    loop = Loop("test", round_, NEVER, woken=woken, spacing=timedelta(milliseconds=1))
    loop.start()
    async with asyncio.timeout(5):
        await again.wait()
        await loop.stop()

    assert rounds == 2


async def test_nobody_wakes_it_more_often_than_its_spacing() -> None:
    woken, began = asyncio.Event(), asyncio.Event()
    rounds = 0

    async def round_() -> None:
        nonlocal rounds
        rounds += 1
        began.set()

    loop = Loop("test", round_, NEVER, woken=woken, spacing=NEVER / 2)
    loop.start()
    await began.wait()
    for _ in range(9):
        woken.set()
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await loop.stop()  # which it does not put off

    assert rounds == 1
