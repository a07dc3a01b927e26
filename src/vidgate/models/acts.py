"""Acts: what was changed in a deployment by hand, by whom, from where and why."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

__all__ = ["ITSELF", "Act", "Author", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes something.

    Attributes:
        actor: A person, or a program of ours.
        origin: From where, such as `command line on gateway-1`.
        reason: In the actor's words, `None` if none was given.
    """

    actor: str
    origin: str
    reason: str | None = None


ITSELF = Author(actor="vidgate", origin="settings")
"""For what no person does: the environment's channels and token, and the channels of a demo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that was changed.

    Attributes:
        name: A noun and a verb, such as `channel.set`.
        subject: The public id of what was changed.
        before: The members that changed, as they were; `None` where it did not exist.
        after: The same members, as they are now.
        at: `None` until it is stored.
    """

    author: Author
    name: str
    subject: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    at: datetime | None = None


def compare(before: Any, after: Any) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What differs between two states of one thing, as JSON; secrets are only named.

    Args:
        before: A dataclass, `None` where the thing is new.
        after: Another of the same class.
    """
    members = [one for one in fields(after) if one.compare]
    if before is None:
        return None, {one.name: _to_json(getattr(after, one.name)) for one in members}
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for one in members:
        was, is_now = getattr(before, one.name), getattr(after, one.name)
        if was != is_now:
            old[one.name], new[one.name] = _to_json(was), _to_json(is_now)
            if isinstance(was, bytes) and isinstance(is_now, bytes):
                new[one.name] = "changed"
    return old, new


def _to_json(value: Any) -> Any:
    match value:
        case bytes():
            return "set"  # encrypted, and still nobody's business
        case datetime() | timedelta():
            return _seconds(value)
        case UUID():
            return str(value)
        case Enum():
            return value.value
        case tuple():
            return list(value)
        case _:
            return value


def _seconds(value: datetime | timedelta) -> int:
    return int(value.timestamp() if isinstance(value, datetime) else value.total_seconds())
