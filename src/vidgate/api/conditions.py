"""`ETag` and `If-None-Match`: the states of a task that a client has seen already."""

import re

from vidgate.models.tasks import TaskSnapshot

__all__ = ["etag", "has_seen", "write_version"]

_FINISHED = 100
_TAG = re.compile(rb'(?:W/)?"?([^",\s]*)"?')


def write_version(task: TaskSnapshot) -> str:
    """Name a state: its revision, with the progress that its provider has reported since.

    Progress alone raises no revision, and a client that compares names would not see it.
    """
    revision, progress = task.version
    return f"{revision}.{progress}" if 0 < progress < _FINISHED else str(revision)


def etag(task: TaskSnapshot) -> bytes:
    """The `ETag` of a task. A weak one: what is only estimated may differ under the same tag."""
    return b'W/"%b"' % write_version(task).encode()


def has_seen(if_none_match: bytes, task: TaskSnapshot) -> bool:
    """Whether an `If-None-Match` names the state of a task."""
    if if_none_match.strip() == b"*":
        return True
    version = write_version(task).encode()
    tags = (_TAG.fullmatch(tag.strip()) for tag in if_none_match.split(b","))
    return any(tag[1] == version for tag in tags if tag)
