"""What a client reads about a provider's refusal or failure."""

import re
from collections.abc import Mapping
from dataclasses import replace

from vidgate.exceptions import (
    ContentPolicyError,
    ModelRefusedError,
    RefusedParameterError,
    RequestError,
    UpstreamRefusedError,
)
from vidgate.models.outcomes import Fault, FaultKind
from vidgate.models.tasks import TaskError

__all__ = [
    "NO_ANSWER",
    "QUEUED_TOO_LONG",
    "UNCLEAR_ANSWER",
    "UNKNOWN_OUTCOME",
    "in_clients_words",
    "to_request_error",
    "to_task_error",
    "to_unknown_outcome",
]

NO_ANSWER = "no_answer"
"""The code of the fault of a submit that was cut off."""

UNCLEAR_ANSWER = "unclear_answer"
"""The code of the fault of a submit whose answer does not say whether it made a job."""

UNKNOWN_OUTCOME = TaskError(
    "submit_outcome_unknown",
    "The connection to the provider broke while the task was being submitted, and the provider "
    "cannot tell whether it was accepted. It was not submitted again, so that nothing is paid "
    "twice.",
)

QUEUED_TOO_LONG = TaskError(
    "queue_timeout",
    "No provider could take the task within the time that it may wait; submit it again.",
)

_UNCLEAR_OUTCOME = TaskError(
    UNKNOWN_OUTCOME.code,
    "The provider's answer could not be understood when the task was submitted, and the provider "
    "cannot tell whether it was accepted. It was not submitted again, so that nothing is paid "
    "twice.",
)

_SENTENCES = {
    FaultKind.BAD_PARAMETER: (
        "invalid_parameter",
        "The provider refused a parameter of the request; check it against the model's limits.",
    ),
    FaultKind.CONTENT_POLICY: (
        "content_policy_violation",
        "The provider's content policy refused the prompt, a picture or the result; change them.",
    ),
    FaultKind.MODEL_UNAVAILABLE: (
        "upstream_model_unavailable",
        "The provider does not offer this model any more, or not to this deployment; use another.",
    ),
    FaultKind.CREDENTIAL: (
        "upstream_account_error",
        "The provider does not serve this deployment at the moment; tell its operator.",
    ),
    FaultKind.BALANCE: (
        "upstream_account_error",
        "The provider does not serve this deployment at the moment; tell its operator.",
    ),
    FaultKind.CONCURRENCY: (
        "upstream_busy",
        "The provider is working on as many tasks as it may; try again later.",
    ),
    FaultKind.RATE: (
        "upstream_busy",
        "The provider is asked too often at the moment; try again later.",
    ),
    FaultKind.FAULT: (
        "upstream_error",
        "The provider failed; try again later.",
    ),
    FaultKind.NOT_FOUND: (
        "upstream_task_lost",
        "The provider no longer knows the task.",
    ),
    FaultKind.EXPIRED: (
        "upstream_task_expired",
        "The provider let the task expire.",
    ),
    FaultKind.CANCELLED: (
        "cancelled",
        "The task was cancelled at the provider.",
    ),
}

_OF_THE_OPERATOR = frozenset({FaultKind.CREDENTIAL, FaultKind.BALANCE})
"""What no provider has a sentence of its own for: a client must not learn whether it is the
operator's key or the operator's money."""

_OF_JOBS = {
    FaultKind.CONCURRENCY: "The provider had no room to make the video.",
    FaultKind.RATE: "The provider was too busy to make the video.",
    FaultKind.FAULT: "The provider failed to make the video.",
}
"""What is said instead of a job that exists: nobody is advised to pay for another one."""


def in_clients_words(fault: Fault, names: Mapping[str, str]) -> Fault:
    """Name the field that a fault is about as the client did.

    Args:
        fault: Of a submit.
        names: The client's names of fields, by the vendor's.
    """
    name = names.get(fault.param, fault.param)
    if name == fault.param:
        return fault
    told = re.sub(rf"\b{re.escape(fault.param)}\b", lambda _: name, fault.safe_message)
    return replace(fault, param=name, safe_message=told)


def to_task_error(fault: Fault, *, has_job: bool = False) -> TaskError:
    """What a task says of the fault that ended it.

    Args:
        fault: Why.
        has_job: Whether the provider took the job, which may be paid for then.
    """
    code, sentence = _SENTENCES[fault.kind]
    if has_job:
        sentence = _OF_JOBS.get(fault.kind, sentence)
    if fault.kind not in _OF_THE_OPERATOR:
        sentence = fault.safe_message or sentence
    return TaskError(code, sentence)


def to_unknown_outcome(code: str | None) -> TaskError:
    """What a task says of a submit whose outcome stays unknown.

    Args:
        code: `NO_ANSWER` or `UNCLEAR_ANSWER`; `None` where the process ended before an answer.
    """
    return _UNCLEAR_OUTCOME if code == UNCLEAR_ANSWER else UNKNOWN_OUTCOME


def to_request_error(fault: Fault, *, knows_model: bool = True) -> RequestError:
    """The answer to a submit that every channel refused, the last one for this.

    Args:
        fault: Why.
        knows_model: Whether the model is one that we know to exist, so that it is the deployment
            that lacks it; otherwise it is the client who wrote it wrongly.
    """
    error = to_task_error(fault)
    match fault.kind:
        case FaultKind.MODEL_UNAVAILABLE if not knows_model:
            return ModelRefusedError(
                "The provider has no such model; check its spelling, `GET /v1/models` lists those "
                "that are known.",
                param="model",
            )
        case FaultKind.CONTENT_POLICY:
            return ContentPolicyError(error.message, code=error.code)
        case FaultKind.BAD_PARAMETER:
            return RefusedParameterError(error.message, param=fault.param or None, code=error.code)
        case _:
            return UpstreamRefusedError(error.message, code=error.code)
