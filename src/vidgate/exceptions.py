"""The errors of vidgate.

VidgateError
├── ConfigurationError                 the operator must change a setting or a key
├── DatabaseUnavailableError           PostgreSQL could not be asked; ask again later
├── CallbackRefusedError               a callback's signature does not hold
├── LeaseLostError                     another worker owns the attempt now; change nothing
├── UpstreamError                      a conversation with a provider failed
│   ├── NotSentError                   no byte of the request was written; safe to repeat
│   ├── UnansweredError                it may have arrived; never repeat a submit blindly
│   └── ProviderProtocolError          an answer came and cannot be read as one
└── RequestError                       an error answer, with status, type and code
    ├── InvalidParameterError          400
    │   ├── MalformedBodyError
    │   ├── TooManyValuesError
    │   ├── UnsupportedParameterError  a value the chosen model cannot honour
    │   ├── PriceMissingError          what has no price is not made
    │   ├── RefusedParameterError      the provider refused a value
    │   └── ContentPolicyError         the provider refused the content
    ├── AuthenticationError            401
    ├── PermissionDeniedError          403
    ├── InsufficientQuotaError         403, the account or the token has nothing left
    │   └── BudgetExceededError        what may be used over a period is used up
    ├── NotFoundError                  404
    │   ├── TaskNotFoundError
    │   ├── ModelNotFoundError
    │   └── ModelRefusedError          that every provider which was asked does not have
    ├── MethodNotAllowedError          405
    ├── ConflictError                  409, the task's state does not allow it
    ├── BodyTooLargeError              413
    ├── RangeNotSatisfiableError       416, the video ends before that part
    ├── ChannelBusyError               429, it could not begin at once and must not wait
    ├── IdempotencyError               422, the key was used for another request
    ├── RateLimitError                 429, ask again later
    │   ├── TooManyInFlightError       too much is under way
    │   ├── TooManyQueuedError         too much waits for a place
    │   └── TooManyWaitersError        the token waits and listens as often as it may
    ├── RepeatedRefusalError           what the first request of a key was refused with
    ├── InternalError                  500
    ├── UpstreamRefusedError           502, every channel that could serve refused
    ├── UpstreamUnavailableError       502, no answer to what makes no job; it may be repeated
    ├── ContentUnavailableError        502, only ever for the content of a video
    ├── UnavailableError               503
    │   ├── NoChannelError
    │   ├── OverloadedError
    │   └── StorageUnavailableError
    └── ContentTimeoutError            504, only ever for the content of a video
"""

from collections.abc import Sequence
from typing import ClassVar

from vidgate.constants import FULL_CHANNEL_RETRY

__all__ = [
    "AuthenticationError",
    "BodyTooLargeError",
    "BudgetExceededError",
    "CallbackRefusedError",
    "ChannelBusyError",
    "ConfigurationError",
    "ConflictError",
    "ContentPolicyError",
    "ContentTimeoutError",
    "ContentUnavailableError",
    "DatabaseUnavailableError",
    "IdempotencyError",
    "InsufficientQuotaError",
    "InternalError",
    "InvalidParameterError",
    "LeaseLostError",
    "MalformedBodyError",
    "MethodNotAllowedError",
    "ModelNotFoundError",
    "ModelRefusedError",
    "NoChannelError",
    "NotFoundError",
    "NotSentError",
    "OverloadedError",
    "PermissionDeniedError",
    "PriceMissingError",
    "ProviderProtocolError",
    "RangeNotSatisfiableError",
    "RateLimitError",
    "RefusedParameterError",
    "RepeatedRefusalError",
    "RequestError",
    "StorageUnavailableError",
    "TaskNotFoundError",
    "TooManyInFlightError",
    "TooManyQueuedError",
    "TooManyValuesError",
    "TooManyWaitersError",
    "UnansweredError",
    "UnavailableError",
    "UnsupportedParameterError",
    "UpstreamError",
    "UpstreamRefusedError",
    "UpstreamUnavailableError",
    "VidgateError",
]


class VidgateError(Exception):
    """Base of every error raised on purpose."""


class ConfigurationError(VidgateError):
    """The operator must change a setting, a key or a channel; the message says which and how."""


class DatabaseUnavailableError(VidgateError):
    """PostgreSQL could not be asked. What was under way may or may not have been committed."""


class LeaseLostError(VidgateError):
    """The attempt's lease ended or passed to another worker; nothing was changed."""


class CallbackRefusedError(VidgateError):
    """A callback's signature does not hold; nothing is done about it."""


class UpstreamError(VidgateError):
    """A conversation with a provider failed."""


class NotSentError(UpstreamError):
    """No byte of the request was written: refused, no such host, no free connection in time."""


class UnansweredError(UpstreamError):
    """The request may have arrived, and no complete answer came."""


class ProviderProtocolError(UpstreamError):
    """An answer came that says nothing certain: HTML, garbage, a 5xx, a 429 on a poll.

    Attributes:
        retry_after_seconds: What the provider asked us to wait, or `None`.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


class RequestError(VidgateError):
    """An error as the client reads it.

    Args:
        message: One plain sentence that says what to do; shown to the client as it stands.
        param: The field the error is about, `None` when it is about no single one.
        code: A stable machine word, when a more precise one than the class's is known.
    """

    status: int = 500
    type: str = "server_error"
    default_code: ClassVar[str] = "internal_error"
    longest_message: ClassVar[int] = 4000
    longest_param: ClassVar[int] = 200
    """Characters: what a client sent may be part of either, and is not sent back at length."""

    upstream_called: ClassVar[bool] = False
    """Whether a provider may have been called: the answer then says `x-should-retry: false`."""

    is_told: bool = False
    """Whether the log had the same error of the same caller within the last second."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        message = _shortened(message, self.longest_message)
        super().__init__(message)
        self.message = message
        self.param = param and _shortened(param, self.longest_param)
        self.code = code or self.default_code
        self.retry_after_seconds: int | None = None


class InvalidParameterError(RequestError):
    """A field is missing, of the wrong type, or has an impossible value."""

    status = 400
    type = "invalid_request_error"
    default_code = "invalid_parameter"


class MalformedBodyError(InvalidParameterError):
    """The body is not one JSON object."""

    default_code = "invalid_json"


class TooManyValuesError(InvalidParameterError):
    """The JSON has more values than any request needs."""

    default_code = "too_many_values"


class UnsupportedParameterError(InvalidParameterError):
    """A value that the chosen model cannot honour.

    Args:
        param: The field.
        message: One sentence.
        allowed: What would be accepted, listed to the client.
    """

    default_code = "unsupported_parameter"

    def __init__(self, param: str, message: str, *, allowed: Sequence[object] = ()) -> None:
        if allowed:
            message = f"{message} Allowed: {', '.join(str(value) for value in allowed)}."
        super().__init__(message, param=param)
        self.allowed = tuple(allowed)


class PriceMissingError(InvalidParameterError):
    """The model has no price, and what has none is not made here."""

    default_code = "price_missing"


class RefusedParameterError(InvalidParameterError):
    """The provider refused a value of the request."""

    upstream_called = True


class ContentPolicyError(InvalidParameterError):
    """The provider refused the content of the request."""

    default_code = "content_policy_violation"
    upstream_called = True


class AuthenticationError(RequestError):
    """No valid token."""

    status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"


class PermissionDeniedError(RequestError):
    """The token is valid and may not do this."""

    status = 403
    type = "permission_error"
    default_code = "permission_denied"


class InsufficientQuotaError(RequestError):
    """The account has no money left for it, or the token has used up all that it may."""

    status = 403
    type = "insufficient_quota"
    default_code = "insufficient_quota"


class BudgetExceededError(InsufficientQuotaError):
    """What an account or a token may use over a period is used up."""

    default_code = "budget_exceeded"


class NotFoundError(RequestError):
    """No such thing, or it is somebody else's."""

    status = 404
    type = "not_found_error"
    default_code = "not_found"


class TaskNotFoundError(NotFoundError):
    """No such task, or another account's: the same answer."""

    default_code = "task_not_found"


class ModelNotFoundError(NotFoundError):
    """A model that no provider knows and no channel lists."""

    default_code = "model_not_found"


class ModelRefusedError(NotFoundError):
    """A model that we do not know, and that no provider which was asked has."""

    default_code = "model_not_found"
    upstream_called = True


class MethodNotAllowedError(RequestError):
    """The route exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    default_code = "method_not_allowed"


class ConflictError(RequestError):
    """The task is not in a state that allows it."""

    status = 409
    type = "invalid_request_error"
    default_code = "conflict"


class BodyTooLargeError(RequestError):
    """The body, or a part of it, is over its limit."""

    status = 413
    type = "invalid_request_error"
    default_code = "request_too_large"


class RangeNotSatisfiableError(RequestError):
    """The file ends before the part that was asked for.

    Args:
        total_bytes: The size of the file.
    """

    status = 416
    type = "invalid_request_error"
    default_code = "range_not_satisfiable"

    def __init__(self, total_bytes: int) -> None:
        super().__init__(
            f"The file has {total_bytes} bytes and ends before the part that Range asks for.",
            param="Range",
        )
        self.total_bytes = total_bytes


class ChannelBusyError(RequestError):
    """No channel that serves the model has a place now, and the request must not wait for one."""

    status = 429
    type = "rate_limit_error"
    default_code = "channel_busy"

    def __init__(self) -> None:
        super().__init__(
            "Every channel for this model is full at the moment; try again later, or let the task "
            "wait, for as many seconds as metadata.queue_wait says."
        )
        self.retry_after_seconds = int(FULL_CHANNEL_RETRY.total_seconds())


class IdempotencyError(RequestError):
    """The key was used for another request."""

    status = 422
    type = "invalid_request_error"
    default_code = "idempotency_mismatch"


class RateLimitError(RequestError):
    """Too much at once."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limited"


class TooManyInFlightError(RateLimitError):
    """The account or the token has as many videos under way as it may."""

    default_code = "too_many_in_flight"


class TooManyQueuedError(RateLimitError):
    """The account or the token has as many videos waiting for a place as it may."""

    default_code = "too_many_queued"


class TooManyWaitersError(RateLimitError):
    """The token waits and listens as often at once as it may."""

    default_code = "too_many_waiters"


class RepeatedRefusalError(RequestError):
    """The refusal that the first request of a key got, repeated.

    Args:
        status: Of the first answer, as the others.
        kind: Its `type`.
        message: As it was.
        param: As it was.
        code: As it was.
    """

    upstream_called = True

    def __init__(
        self, *, status: int, kind: str, message: str, param: str | None, code: str
    ) -> None:
        super().__init__(message, param=param, code=code)
        self.status = status
        self.type = kind


class InternalError(RequestError):
    """Our fault; the details are in the log under the request id."""


class UpstreamRefusedError(RequestError):
    """Every channel that could serve refused or failed, so no job exists."""

    status = 502
    type = "upstream_error"
    default_code = "upstream_refused"
    upstream_called = True


class UpstreamUnavailableError(RequestError):
    """No provider answered a question that makes no job, so that it may be repeated."""

    status = 502
    type = "upstream_error"
    default_code = "upstream_unavailable"


class ContentUnavailableError(RequestError):
    """The host of a finished video does not deliver it."""

    status = 502
    type = "upstream_error"
    default_code = "content_unavailable"


class UnavailableError(RequestError):
    """Not now."""

    status = 503
    default_code = "unavailable"


class NoChannelError(UnavailableError):
    """No enabled channel serves the model."""

    default_code = "no_channel"


class OverloadedError(UnavailableError):
    """The memory budget for bodies is used up."""

    default_code = "overloaded"


class StorageUnavailableError(UnavailableError):
    """The database does not answer, and nothing was created."""

    default_code = "storage_unavailable"


class ContentTimeoutError(RequestError):
    """The host of a finished video does not deliver it in time."""

    status = 504
    type = "upstream_error"
    default_code = "content_timeout"
