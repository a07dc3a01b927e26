"""The gateway, with the time that each SQL statement takes written to a file at its end."""

import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import asyncpg

from vidgate.cli import main
from vidgate.db import attempt_statements
from vidgate.db.engine import Statement

_NAMES = {
    getattr(attempt_statements, name).sql: name
    for name in dir(attempt_statements)
    if isinstance(getattr(attempt_statements, name), Statement)
}

_spent: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
_run = asyncpg.Connection._execute  # noqa: SLF001 - what all of its methods use


async def _counted(self: asyncpg.Connection, query: str, *arguments: Any, **options: Any) -> Any:
    began = time.perf_counter()
    try:
        return await _run(self, query, *arguments, **options)
    finally:
        one = _spent[_NAMES.get(query, "other")]
        one[0] += 1
        one[1] += time.perf_counter() - began


if __name__ == "__main__":
    asyncpg.Connection._execute = _counted  # noqa: SLF001 - likewise
    path = Path(sys.argv.pop(1))
    try:
        main()
    finally:
        path.write_text(json.dumps(_spent | {"cpu": [1, sum(os.times()[:2])]}))
