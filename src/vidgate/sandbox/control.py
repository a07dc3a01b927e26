"""The operator's own routes: what was created, what was asked, and what shall go wrong.

* `GET /_sandbox/ledger?provider=&correlation=&id=&limit=`: the paid jobs, latest first.
* `GET /_sandbox/stats?job=&summary=1`: calls, and the polls of each job.
* `GET /_sandbox/faults`, `POST /_sandbox/faults` (one fault or a list), `DELETE /_sandbox/faults`.
* `GET /_sandbox/callbacks?job=`: what was sent, latest first, with its outcome (`delivered`,
  `failed`, `timeout`, `lost`, `refused`); `POST` sends what is due at once.
* `GET /_sandbox/settings`, `POST /_sandbox/settings`: what can be changed while it runs.
* `POST /_sandbox/reset`: forget jobs, faults and counts.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import parse_qsl

from vidgate.sandbox.callback_signing import kling_headers
from vidgate.sandbox.faults import CALLBACK_KINDS, FAULT_KINDS, OPERATIONS, Fault
from vidgate.sandbox.settings import PROVIDERS
from vidgate.sandbox.wire import Call, Reply, json_reply
from vidgate.sandbox.world import World

__all__ = ["Control"]

_NUMBERS = (
    "speed",
    "latency_seconds",
    "hang_seconds",
    "slow_body_seconds",
    "link_lifetime",
    "vidu_credits",
    "callback_retry_seconds",
)
_TABLES = ("job_seconds", "concurrency")
_SWITCHES = ("jimeng_strict", "vidu_strict")
_FAULT_FIELDS = ("provider", "operation", "kind", "times", "skip", "contains", "seconds")


class _BadRequestError(Exception):
    """The operator asked for something that does not exist."""


class Control:
    """Answers the operator."""

    def __init__(self, world: World) -> None:
        self._world = world

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
            faults = [_to_fault(item) for item in (asked if isinstance(asked, list) else [asked])]
            for fault in faults:
                self._world.faults.add(fault)
        return {"faults": [asdict(fault) for fault in self._world.faults]}

    def _settings(self, call: Call) -> dict[str, Any]:
        settings = self._world.settings
        if call.method == "POST":
            changes: dict[str, Any] = {}
            for name, value in call.fields().items():
                if name in _TABLES and isinstance(value, dict) and set(value) <= set(PROVIDERS):
                    changes[name] = {**getattr(settings, name), **value}
                elif (
                    (name in _SWITCHES and isinstance(value, bool))
                    or (name in _NUMBERS and isinstance(value, int | float))
                    or (name == "link_lifetime" and value is None)
                    or (name == "vidu_over_limit" and value in {"queue", "refuse"})
                    or (name == "kling_callback_secret" and _is_secret(value))
                ):
                    changes[name] = value
                else:
                    raise _BadRequestError(f"not a setting, or not a value for it: {name}")
            settings = self._world.settings = replace(settings, **changes)
        names = (*_NUMBERS, *_TABLES, *_SWITCHES, "vidu_over_limit", "kling_callback_secret")
        return {name: getattr(settings, name) for name in names}


def _to_fault(asked: Any) -> Fault:
    if not isinstance(asked, dict) or not {"provider", "operation", "kind"} <= set(asked):
        raise _BadRequestError("a fault needs provider, operation and kind")
    for name, allowed in (
        ("provider", (*PROVIDERS, "*")),
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


def _is_secret(value: Any) -> bool:
    """Whether callbacks can be signed with it; `None` means that they are not signed."""
    if value is not None and not isinstance(value, str):
        return False
    try:
        kling_headers(value, "", b"", 0.0, ())
    except ValueError:
        return False
    return True
