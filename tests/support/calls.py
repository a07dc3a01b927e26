"""Calls of adapters: to any endpoint, and what is made of an answer."""

from datetime import timedelta
from typing import Any

from vidgate.providers.base import Pace, RunFacts, Translation
from vidgate.testing import read_answer

__all__ = ["read_answer", "to_endpoint"]

_PACE = Pace(
    first_ask=timedelta(seconds=5),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=30),
    deadline=timedelta(hours=1),
)


def to_endpoint(endpoint: str, **body: Any) -> Translation:
    """What is to be submitted to an endpoint, whatever it would make of the body."""
    return Translation(endpoint=endpoint, body=body, facts=RunFacts(model="m"), pace=_PACE)
