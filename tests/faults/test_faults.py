"""A storm over several real processes, and the books afterwards.

`make test` has a short one. `make soak MINUTES=30 SEED=7` has a long one, which prints its seed.
"""

import os
import random
import time

from tests.faults.schedule import make_schedule
from tests.faults.storm import own_server, weather

_SHORT_SECONDS = 20.0
"""Of storm, with some fifty orders. The leases that have to end after it take twice as long."""

_SHORT_SEED = 6
"""Stops a gateway early, so that it wakes up soon after the storm."""


async def test_a_storm_loses_and_doubles_nothing() -> None:
    minutes = float(os.environ.get("VIDGATE_SOAK_MINUTES") or 0)
    seed = int(
        os.environ.get("VIDGATE_SOAK_SEED") or (random.randrange(10**6) if minutes else _SHORT_SEED)
    )
    schedule = make_schedule(seed, minutes * 60 or _SHORT_SECONDS, gateways=3 if minutes else 2)
    began = time.monotonic()
    print(f"\nseed {seed}, {schedule.seconds:.0f} s of storm", flush=True)

    async with own_server() as server:
        books = await weather(schedule, server)

    print(books.summary())
    print(f"took {time.monotonic() - began:.0f} s")
    errors = books.errors()
    assert not errors, f"seed {seed}:\n" + "\n".join(errors)
