"""Estimates in answers: `queue_position`, `eta_seconds` and `metadata.eta_seconds_p80`.

They change every second and are no part of a task's state. So the bytes that are remembered of a
state have marks where they stand, and each answer has its own put there.
"""

import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from vidgate.api.dependencies import Services
from vidgate.models.tasks import TaskSnapshot
from vidgate.services.views.estimates import Estimate

__all__ = ["estimate_of", "fill_estimate", "mark_estimate", "with_estimate"]

_MARK: Final = secrets.token_hex(16)
"""A member that stands for the others. It is of this process alone, and nobody can guess it."""

_MEMBER: Final = f',"{_MARK}":null'.encode()
_META: Final = "metadata"
_MARK_P80: Final = secrets.token_hex(16)
_MEMBER_P80: Final = f',"{_MARK_P80}":null'.encode()


async def estimate_of(services: Services, task: TaskSnapshot) -> Estimate:
    """What to tell of a task; nothing where it is final."""
    return Estimate() if task.status.is_final else await services.estimates.of(task.id)


def with_estimate(answer: Mapping[str, Any], estimate: Estimate) -> dict[str, Any]:
    """An answer with an estimate in it."""
    told: dict[str, Any] = {**answer, **_members(estimate)}
    if estimate.seconds_p80 is not None:
        told[_META] = {**told.get(_META, {}), "eta_seconds_p80": estimate.seconds_p80}
    return told


def mark_estimate(answer: Mapping[str, Any], task: TaskSnapshot) -> dict[str, Any]:
    """An answer with marks for `fill_estimate`; without any where the task is final."""
    if task.status.is_final:
        return dict(answer)
    return {**answer, _META: {**answer.get(_META, {}), _MARK_P80: None}, _MARK: None}


def fill_estimate(body: bytes, estimate: Estimate) -> bytes:
    """Put an estimate where its marks are."""
    members, in_metadata = _written(estimate)
    return body.replace(_MEMBER, members).replace(_MEMBER_P80, in_metadata)


@lru_cache(maxsize=1024)
def _written(estimate: Estimate) -> tuple[bytes, bytes]:
    """The members that tell of an estimate, and the one in `metadata`."""
    members = b"".join(
        b',"%s":%d' % (name.encode(), one) for name, one in _members(estimate).items()
    )
    p80 = estimate.seconds_p80
    return members, b"" if p80 is None else b',"eta_seconds_p80":%d' % p80


def _members(estimate: Estimate) -> dict[str, int]:
    members = {"queue_position": estimate.position, "eta_seconds": estimate.seconds}
    return {name: value for name, value in members.items() if value is not None}
