"""What a client wants done about unused fields, and how they are reported."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from vidgate.api.dependencies import caller_of
from vidgate.api.idempotency import REPLAYED, REPLAYED_DOCUMENTED
from vidgate.api.limits import USES_DOCUMENTED
from vidgate.constants import WAIT_MOST
from vidgate.models.money import format_amount
from vidgate.models.tasks import TaskCost, TaskWarning, WarningCode
from vidgate.services.tasks.creating import Created

__all__ = [
    "APPLIED_DOCUMENTED",
    "NOTES_DOCUMENTED",
    "PREFER",
    "PREFER_WAIT",
    "is_strict",
    "preferred_wait",
    "tell_notes",
    "write_notes",
]

PREFER: Mapping[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "description": (
        "`handling=strict` makes errors of what would be ignored, adjusted or passed on unknown; "
        "`handling=lenient` undoes it where the token says so."
    ),
    "schema": {"type": "string"},
}
PREFER_WAIT: Mapping[str, Any] = {
    **PREFER,
    "description": (
        f"{PREFER['description']} `wait=N` waits up to N seconds, at most 60, for the end of the "
        "task; the answer then has the members of the GET as well."
    ),
}
APPLIED_DOCUMENTED: dict[str, Any] = {
    "Preference-Applied": {
        "description": "`wait=N` where `Prefer` asked for a wait.",
        "schema": {"type": "string"},
    }
}
_PRICE = "X-Vidgate-Price"

NOTES_DOCUMENTED: dict[str, Any] = {
    "X-Vidgate-Ignored": {
        "description": "Fields the model has no use for, such as `fps, seed`.",
        "schema": {"type": "string"},
    },
    "X-Vidgate-Adjusted": {
        "description": "What was taken to the nearest value, such as `size=1:1@720p`, and what was "
        "chosen because the rest needs it, such as `mode=pro`.",
        "schema": {"type": "string"},
    },
    "X-Vidgate-Unknown": {
        "description": "Fields that went to the vendor and are not in its documentation, such as "
        "`foo, bar`. Commas in a name, and what is not ASCII, are percent-encoded; `...` stands "
        "for those that have no room.",
        "schema": {"type": "string"},
    },
    _PRICE: {
        "description": "What is held for it, such as `0.21 USD`, where there are prices.",
        "schema": {"type": "string"},
    },
    **REPLAYED_DOCUMENTED,
    **USES_DOCUMENTED,
}

_HEADERS: Mapping[WarningCode, str] = {
    WarningCode.IGNORED: "X-Vidgate-Ignored",
    WarningCode.ADJUSTED: "X-Vidgate-Adjusted",
    WarningCode.UNKNOWN: "X-Vidgate-Unknown",
}
_HEADER_CHARACTERS = 1000
"""Of one header: proxies in front of us have 4 KiB for all of them, and an answer that they refuse
would hide a task that is paid for."""

_REST = "..."
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",%")
"""What a name may have in a header as it is."""

_HANDLING = re.compile(
    r"(?:^|[,;])\s*handling\s*=\s*\"?(?P<word>strict|lenient)\"?\s*(?=[,;]|$)", re.IGNORECASE
)


_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(?P<seconds>[0-9]+)\"?\s*(?=[,;]|$)", re.IGNORECASE)
_DIGITS = 9
"""More are a wait that is too long anyway, and a number that takes long to read."""


def preferred_wait(request: Request) -> int | None:
    """The seconds of `Prefer: wait=`, at most 60; `None` without one that can be read."""
    for value in request.headers.getlist("prefer"):
        if said := _WAIT.search(value):
            digits = said["seconds"]
            most = int(WAIT_MOST.total_seconds())
            return most if len(digits) > _DIGITS else min(int(digits), most)
    return None


def is_strict(request: Request) -> bool:
    """Whether what would be a warning is to be an error.

    `Prefer: handling=strict` or `lenient` says so, the first one counts; else the token.
    """
    for value in request.headers.getlist("prefer"):
        if said := _HANDLING.search(value):
            return said["word"].lower() == "strict"
    return caller_of(request.scope).token.strict


def tell_notes(created: Created) -> dict[str, str]:
    """The headers that name what was not done to the letter, what it costs, and a repetition."""
    notes = write_notes(created.snapshot.warnings, created.snapshot.cost)
    return notes | REPLAYED if created.replayed else notes


def write_notes(warnings: Sequence[TaskWarning], cost: TaskCost | None) -> dict[str, str]:
    """The headers that name what is not done to the letter, and what it costs."""
    notes = {
        header: _join(_entry(warning) for warning in warnings if warning.code is code)
        for code, header in _HEADERS.items()
        if any(warning.code is code for warning in warnings)
    }
    if cost is not None:
        amount = format_amount(cost.reserved_micros, shortest=True)
        notes[_PRICE] = f"{amount} {cost.currency}"
    return notes


def _entry(warning: TaskWarning) -> str:
    name = warning.param if warning.value is None else f"{warning.param}={warning.value}"
    return quote(name, safe=_PLAIN)


def _join(entries: Iterable[str]) -> str:
    """Write a list, and what has no room in it as dots."""
    text = ""
    for entry in entries:
        longer = f"{text}, {entry}" if text else entry
        if len(longer) > _HEADER_CHARACTERS:
            return f"{text}, {_REST}" if text else _REST
        text = longer
    return text
