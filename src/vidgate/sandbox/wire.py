"""One HTTP call and its answer, as the stand-ins see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import orjson

__all__ = [
    "JSON_TYPE",
    "OK",
    "Call",
    "ConnectionDroppedError",
    "Operation",
    "Provider",
    "Reply",
    "json_reply",
    "split_query",
]

JSON_TYPE = "application/json"

OK = 200
"""HTTP status of an accepted call."""


class ConnectionDroppedError(Exception):
    """The sandbox hung up, told by exception because the server gave no connection to close."""


@dataclass(slots=True)
class Call:
    """A request received in full.

    Attributes:
        method: In capitals.
        path: The path exactly as requested, percent-encoding included.
        route: What is left of `path` below the provider's prefix; at least `/`.
        query: The raw query string.
        headers: By lower-case name.
        body: The bytes received.
        base_url: Where this client reaches the sandbox, without a slash at the end.
        now: Unix seconds at arrival.
    """

    method: str
    path: str
    route: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    now: float
    _parsed: Any = ...

    def json(self) -> Any:
        """The body as JSON, or `None` if it is none."""
        if self._parsed is ...:
            try:
                self._parsed = orjson.loads(self.body)
            except orjson.JSONDecodeError:
                self._parsed = None
        return self._parsed

    def fields(self) -> Mapping[str, Any]:
        """The members of the body's JSON object; none if it is not an object."""
        parsed = self.json()
        return parsed if isinstance(parsed, dict) else {}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer ready to send."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call is about: its kind, and the jobs it names by whatever id it used."""

    kind: str
    job_ids: tuple[str, ...] = ()


class Provider(Protocol):
    """What is needed of a stand-in to spoil its answers; `StandIn` has it all."""

    name: ClassVar[str]

    def handle(self, call: Call) -> Reply:
        """Do what the call asks and answer as the real service does."""

    def refusal(self, status: int) -> Reply:
        """The service's own answer for 401, 429, 500, 503 or 504."""

    def nothing_found(self, call: Call) -> Reply:
        """The service's own answer for a job that it does not know."""

    def prompt(self, call: Call) -> str:
        """The prompt of a submit; empty if it has none."""


def json_reply(status: int, content: Any, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """An answer with a JSON body."""
    return Reply(status, orjson.dumps(content), headers=headers)


def split_query(query: str) -> list[tuple[str, str]]:
    """The raw pairs of a query string, neither decoded nor sorted."""
    pairs = []
    for part in query.split("&"):
        if part:
            key, _, value = part.partition("=")
            pairs.append((key, value))
    return pairs
