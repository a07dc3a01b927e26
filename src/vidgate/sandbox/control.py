"""The operator's own routes: what was created, what was asked, and what shall go wrong.

* `GET /_sandbox/ledger?provider=&correlation=&id=&limit=`: the paid jobs, latest first.
* `GET /_sandbox/stats?job=&summary=1`: calls, and the polls of each job.
* `GET /_sandbox/faults`, `POST /_sandbox/faults` (one fault or a list), `DELETE /_sandbox/faults`.
* `GET /_sandbox/callbacks?job=`: what was sent, latest first, with its outcome (`delivered`,
  `failed`, `timeout`, `lost`, `refused`); `POST` sends what is due at once.
* `GET /_sandbox/settings`, `POST /_sandbox/settings`: what can be changed while it runs.
* `POST /_sandbox/reset`: forget jobs, faults and counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from vidgate.sandbox.faults import CALLBACK_KINDS, FAULT_KINDS, OPERATIONS, Fault
from vidgate.sandbox.stand_in import StandIn
from vidgate.sandbox.wire import Call, Reply, json_reply
from vidgate.sandbox.world import World

__all__ = ["Control"]

_NUMBERS = (
    "speed",
    "latency_seconds",
    "hang_seconds",
    "slow_body_seconds",
    "link_lifetime",
    "callback_retry_seconds",
)
_TABLES = ("job_seconds", "concurrency")
_FAULT_FIELDS = ("provider", "operation", "kind", "times", "skip", "contains", "seconds")


class _BadRequestError(Exception):
    """The operator asked for something that does not exist."""


@dataclass(frozen=True, slots=True)
class _Option:
    """One option of one stand-in, by the type that all of them are in."""

    kind: type[Any]
    name: str
    is_good: Callable[[Any], bool]


class Control:
    """Answers the operator."""

    def __init__(self, world: World, stand_ins: Sequence[type[StandIn]]) -> None:
        self._world = world
        self._providers = tuple(one.name for one in stand_ins)
        self._options = {
            f"{one.name}_{option}": _Option(one.options, option, is_good)
            for one in stand_ins
            for option, is_good in one.changeable.items()
        }

    def handle(self, call: Call, name: str) -> Reply:
        """Answer one call below `/_sandbox/`."""
        try:
            content = self._content(call, name)
        except _BadRequestError as error:
            return json_reply(400, {"detail": str(error)})
        return (
            json_reply(404, {"detail": "Not Found"})
            if content is None
            else json_reply(200, content)
        )

    def _content(self, call: Call, name: str) -> dict[str, Any] | None:
        query = dict(parse_qsl(call.query))
        content: dict[str, Any] | None = None
        match call.method, name:
            case "GET", "ledger":
                content = self._ledger(query)
            case "GET", "stats":
                content = self._stats(query)
            case (("GET" | "POST" | "DELETE"), "faults"):
                content = self._faults(call)
            case (("GET" | "POST"), "callbacks"):
                if call.method == "POST":
                    self._world.callbacks.check()
                content = self._world.callbacks.as_record(query.get("job"))
            case (("GET" | "POST"), "settings"):
                content = self._settings(call)
            case "POST", "reset":
                self._world.clear()
                content = {"reset": True}
            case _:
                pass
        return content

    def _ledger(self, query: Mapping[str, str]) -> dict[str, Any]:
        wanted = {
            name: query[name]
            for name in ("provider", "correlation", "id", "state")
            if name in query
        }
        now = self._world.now()
        for job in self._world.ledger:
            self._world.slots(job.provider, job.details.get("pool", job.account))
        records = [job.as_record(now) for job in self._world.ledger]
        found = [
            record
            for record in reversed(records)
            if all(record[name] == value for name, value in wanted.items())
        ]
        limit = int(query["limit"]) if query.get("limit", "").isdecimal() else len(found)
        return {"count": len(found), "jobs": found[:limit]}

    def _stats(self, query: Mapping[str, str]) -> dict[str, Any]:
        return self._world.stats.as_record(
            job_id=query.get("job"), with_jobs=query.get("summary") is None
        )

    def _faults(self, call: Call) -> dict[str, Any]:
        if call.method == "DELETE":
            self._world.faults.clear()
        elif call.method == "POST":
            asked = call.json()
            several = asked if isinstance(asked, list) else [asked]
            faults = [self._to_fault(item) for item in several]
            for fault in faults:
                self._world.faults.add(fault)
        return {"faults": [asdict(fault) for fault in self._world.faults]}

    def _settings(self, call: Call) -> dict[str, Any]:
        settings = self._world.settings
        if call.method == "POST":
            changes: dict[str, Any] = {}
            chosen: list[tuple[_Option, Any]] = []
            for name, value in call.fields().items():
                if name in _TABLES and self._is_table(value):
                    changes[name] = {**getattr(settings, name), **value}
                elif (name in _NUMBERS and isinstance(value, int | float)) or (
                    name == "link_lifetime" and value is None
                ):
                    changes[name] = value
                elif name in self._options and self._options[name].is_good(value):
                    chosen.append((self._options[name], value))
                else:
                    raise _BadRequestError(f"not a setting, or not a value for it: {name}")
            settings = replace(settings, **changes)
            for option, value in chosen:
                options = replace(settings.of(option.kind), **{option.name: value})
                settings = settings.having(options)
            self._world.settings = settings
        return {name: getattr(settings, name) for name in (*_NUMBERS, *_TABLES)} | {
            name: getattr(settings.of(option.kind), option.name)
            for name, option in self._options.items()
        }

    def _is_table(self, value: Any) -> bool:
        return isinstance(value, dict) and set(value) <= set(self._providers)

    def _to_fault(self, asked: Any) -> Fault:
        if not isinstance(asked, dict) or not {"provider", "operation", "kind"} <= set(asked):
            raise _BadRequestError("a fault needs provider, operation and kind")
        for name, allowed in (
            ("provider", (*self._providers, "*")),
            ("operation", OPERATIONS),
            ("kind", sorted(FAULT_KINDS | CALLBACK_KINDS)),
        ):
            if asked[name] not in allowed:
                raise _BadRequestError(f"{name} must be one of {', '.join(allowed)}")
        if asked["operation"] != "*" and (asked["operation"] == "callback") != (
            asked["kind"] in CALLBACK_KINDS
        ):
            raise _BadRequestError(f"kind {asked['kind']} does not go with that operation")
        if unknown := set(asked) - set(_FAULT_FIELDS):
            raise _BadRequestError(f"unknown: {', '.join(sorted(unknown))}")
        return Fault(**asked)
