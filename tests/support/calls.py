"""Calls of adapters: to any endpoint, and what is made of an answer."""

from datetime import timedelta
from typing import Any, TypeVar

import httpx

from vidgate.providers.base import Call, Pace, RunFacts, Translation

__all__ = ["read_answer", "to_endpoint"]

T = TypeVar("T")

_PACE = Pace(
    first_ask=timedelta(seconds=5),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=30),
    deadline=timedelta(hours=1),
)


def to_endpoint(endpoint: str, **body: Any) -> Translation:
    """What is to be submitted to an endpoint, whatever it would make of the body."""
    return Translation(endpoint=endpoint, body=body, facts=RunFacts(model="m"), pace=_PACE)


def read_answer(call: Call[T], response: httpx.Response) -> T:
    """Read the answer to the last, or only, step of a call."""
    answer = call.read(response)
    assert not isinstance(answer, Call)
    return answer
