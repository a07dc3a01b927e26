"""How long a client wants to wait for its task: `?wait=` on a GET, `Prefer: wait=` on a POST."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from vidgate.constants import WAIT_MOST
from vidgate.exceptions import InvalidParameterError

__all__ = ["WAIT", "read_wait", "until_gone"]

_MOST: Final = int(WAIT_MOST.total_seconds())
_SECONDS: Final = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,6})?")

WAIT: dict[str, Any] = {
    "name": "wait",
    "in": "query",
    "description": (
        "Seconds to wait until the task is finished, or with `If-None-Match` until its state is "
        "another one; then it is answered as it stands, an unchanged state with 304."
    ),
    "schema": {"type": "number", "minimum": 0, "maximum": _MOST},
}


def read_wait(scope: Scope) -> float:
    """Read the seconds that `?wait=` asks for; 0 without it.

    Raises:
        InvalidParameterError: It is no number from 0 to 60.
    """
    query: bytes = scope["query_string"]
    if b"wait" not in query:
        return 0.0
    values = [
        value
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if name == "wait"
    ]
    if not values:
        return 0.0
    if not all(_SECONDS.fullmatch(value) and float(value) <= _MOST for value in values):
        raise InvalidParameterError(
            f"wait must be a number of seconds from 0 to {_MOST}.", param="wait"
        )
    return float(values[0])


async def until_gone(receive: Receive) -> None:
    """Return once the client has closed its connection; what it still sends is not read."""
    while (await receive())["type"] != "http.disconnect":
        pass
