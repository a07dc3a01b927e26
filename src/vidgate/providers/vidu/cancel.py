"""From Vidu's answer to a cancellation."""

from vidgate.models.outcomes import FaultKind
from vidgate.providers.answers import Answer
from vidgate.providers.base import CancelAnswer
from vidgate.providers.vidu.faults import (
    MAY_EXIST,
    UNCERTAIN_CODES,
    read_error,
    to_fault,
    unclear,
)

__all__ = ["to_cancel_answer"]

_NO_SUCH_JOB = frozenset({"TaskNotFound", "CreationNotFound", "NotFound", "CODEC"})
"""`CODEC` is what an id gets that is not a number."""

_COULD_NOT_ASK = frozenset(
    {FaultKind.RATE, FaultKind.CONCURRENCY, FaultKind.CREDENTIAL, FaultKind.BALANCE}
)


def to_cancel_answer(answer: Answer) -> CancelAnswer:
    """Read the answer to a cancellation. What a running job says is not documented.

    Raises:
        ProviderProtocolError: It does not say.
    """
    if answer.response.is_success:
        body = answer.body
        is_error = body is None or any(map(body.get, ("reason", "code", "err_code")))
        if answer.response.content and is_error:
            raise answer.unclear("no clear answer to a cancellation")
        return CancelAnswer.ACCEPTED
    error = read_error(answer)
    if error is None or not answer.response.is_client_error or answer.status in MAY_EXIST:
        raise unclear(answer, error)
    if error.code in _NO_SUCH_JOB:
        return CancelAnswer.UNKNOWN
    kind = to_fault(error, answer).kind
    if kind is FaultKind.CANCELLED:
        return CancelAnswer.ACCEPTED
    if kind in _COULD_NOT_ASK or error.code in UNCERTAIN_CODES:
        raise unclear(answer, error)
    return CancelAnswer.TOO_LATE
