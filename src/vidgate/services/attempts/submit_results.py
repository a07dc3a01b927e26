"""What a try to submit an attempt came to."""

from dataclasses import dataclass

from vidgate.exceptions import RequestError
from vidgate.models.attempts import Attempt, Lease
from vidgate.providers.base import Translation

__all__ = ["Accepted", "Held", "Refused", "Stays", "SubmitResult", "Waits"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the job, and that is recorded."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A worker goes on with it: a slot or another try has to come, or its outcome is unclear."""


@dataclass(frozen=True, slots=True)
class Held:
    """It is to be submitted now, by whoever has this.

    Attributes:
        attempt: In state `SUBMITTING`; another one than before where it moved to a channel.
        lease: Under which it is held.
        translation: What was made of the request for its channel, `None` to make it when it is
            submitted.
    """

    attempt: Attempt
    lease: Lease
    translation: Translation | None = None


@dataclass(frozen=True, slots=True)
class Stays:
    """No other channel takes it, and nothing was changed.

    Attributes:
        for_now: Whether one would have, had it had room a moment longer.
    """

    for_now: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """It is certain that no job exists or will exist; the output has failed."""

    error: RequestError


SubmitResult = Accepted | Waits | Refused
"""Of a submit that is over for now."""
