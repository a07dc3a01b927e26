"""What an error of a compatible server means, in any of the forms they have.

OpenAI's `{"error": {"message", "type", "param", "code"}}`, the same four flat (new-api, vidgate),
an `error` that is text, and FastAPI's `detail` (LiteLLM, vLLM). Only words of machines are
understood; no sentence is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from vidgate.models.outcomes import Fault, FaultKind, Remedy
from vidgate.providers.answers import MESSAGE_CHARACTERS, retry_after_seconds, secret_of, to_words
from vidgate.providers.openai_compatible.sentences import to_safe_sentence

__all__ = [
    "ErrorBody",
    "clean",
    "error_of",
    "is_known",
    "is_refused_for_certain",
    "says_no_such_job",
    "to_fault",
    "to_follow_up_fault",
    "to_job_fault",
]

_KINDS: Mapping[FaultKind, tuple[str, ...]] = {
    FaultKind.BAD_PARAMETER: (
        *("invalid_value", "invalid_parameter", "unsupported_parameter", "missing_parameter"),
        *("missing_required_parameter", "unknown_parameter", "invalid_type", "invalid_json"),
        *("invalid_request", "invalid_image", "invalid_image_format", "invalid_seconds"),
        *("invalid_size", "bad_request_body", "request_too_large", "image_parse_error"),
    ),
    FaultKind.CONTENT_POLICY: (
        *("content_policy_violation", "content_policy", "content_filter", "moderation_blocked"),
        *("sensitive_words_detected", "prompt_blocked", "safety_violation", "content_violation"),
        *("input_moderation", "output_moderation", "content_moderation"),
    ),
    FaultKind.MODEL_UNAVAILABLE: (
        *("model_not_found", "model_not_available", "model_unavailable", "unsupported_model"),
        *("model_not_allowed", "model_price_error", "no_channel", "no_available_channel"),
        *("get_channel_failed", "upstream_model_unavailable", "key_model_access_denied"),
        *("team_model_access_denied", "user_model_access_denied"),
    ),
    FaultKind.CREDENTIAL: (
        *("invalid_api_key", "invalid_token", "token_expired", "expired_key"),
        *("account_deactivated", "authentication_error", "token_not_found_in_db", "auth_error"),
    ),
    FaultKind.BALANCE: (
        *("insufficient_quota", "insufficient_user_quota", "insufficient_balance"),
        *("insufficient_credits", "quota_not_enough", "pre_consume_token_quota_failed"),
        *("billing_hard_limit_reached", "billing_not_active", "budget_exceeded"),
    ),
    FaultKind.CONCURRENCY: (
        *("concurrency_limit_exceeded", "concurrent_limit_exceeded", "too_many_concurrent_tasks"),
        *("concurrency_exceeded", "too_many_tasks"),
    ),
    FaultKind.RATE: (
        *("rate_limit_exceeded", "too_many_requests", "rate_limit_error", "throttling_error"),
        *("overloaded", "storage_unavailable"),
    ),
    FaultKind.EXPIRED: ("expired", "task_expired", "upstream_task_expired"),
    FaultKind.CANCELLED: ("cancelled", "canceled"),
}
_BY_WORD = {word: kind for kind, words in _KINDS.items() for word in words}

_BY_STATUS: Mapping[int, FaultKind] = {
    401: FaultKind.CREDENTIAL,
    402: FaultKind.BALANCE,
    403: FaultKind.CREDENTIAL,
    404: FaultKind.MODEL_UNAVAILABLE,
    405: FaultKind.MODEL_UNAVAILABLE,
    429: FaultKind.RATE,
}
"""What a word we do not know means at a submit. 404 and 405: the server has no such endpoint."""

_NOTHING_LIKE_IT = "The provider has nothing that can do this with the video."
_SENTENCES: Mapping[int, str] = {
    400: _NOTHING_LIKE_IT,
    404: _NOTHING_LIKE_IT,
    405: _NOTHING_LIKE_IT,
    409: "The provider cannot do this with the video as it is.",
}
"""What is said of a refusal to go on from a video where the server has no sentence of its own."""

_ABOUT_THE_VIDEO = frozenset(
    {FaultKind.BAD_PARAMETER, FaultKind.MODEL_UNAVAILABLE, FaultKind.NOT_FOUND}
)

_REFUSED_BEFORE = frozenset(
    {
        *("no_channel", "no_available_channel", "get_channel_failed", "model_not_found"),
        *("overloaded", "storage_unavailable", "insufficient_user_quota", "quota_not_enough"),
        "pre_consume_token_quota_failed",
    }
)
"""What gateways answer with 500 or 503 before they have asked anybody for a video."""

_NO_SUCH_JOB = frozenset(
    {"task_not_found", "video_not_found", "job_not_found", "task_not_exist", "task_not_exists"}
)
_NOT_FOUND = frozenset({"not_found", "not_found_error", "resource_not_found"})
_NO_SUCH_JOB_TEXT = re.compile(
    r"\b(?:video|task|job|generation)s?\b.*\b(?:not found|not exist|no such|unknown)"
    r"|\b(?:no such|unknown|no)\b.*\b(?:video|task|job|generation)\b",
    re.IGNORECASE | re.DOTALL,
)
"""The one place where a sentence is read: FastAPI's errors have no word. It is asked twice."""

_SUCCESS = frozenset({"", "0", "200", "success", "ok"})
_PARAM = re.compile(r"[a-z][a-z0-9_]{0,39}")
_KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as a server writes it.

    Attributes:
        code: `code`, else `type`, else empty.
        words: `code` and `type` in lower case: what it may be known by.
        message: For the operator.
        param: A field's name, empty where there is none that could be one.
        type: As the server wrote it.
        sentence: The message where a client may read it, else empty.
    """

    code: str
    words: tuple[str, ...]
    message: str
    param: str = ""
    type: str = ""
    sentence: str = ""


def clean(value: Any, sent: httpx.Request, *, limit: int = MESSAGE_CHARACTERS) -> str:
    """Make text of an answer fit to be kept, without a key."""
    return to_words(value, secret_of(sent), keys=_KEY, limit=limit)


def error_of(sent: httpx.Request, body: Mapping[str, Any]) -> ErrorBody | None:
    """Find the error in a body; `None` if there is none."""
    error = body.get("error")
    if isinstance(error, str) and error.strip():
        error = {"message": error, "code": body.get("code"), "type": body.get("type")}
    if not isinstance(error, Mapping) or not error:
        error = body
    code = error.get("code")
    if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 10**9:
        code = str(code)
    code = clean(code, sent, limit=100)
    if code.lower() in _SUCCESS:
        code = ""
    told_type = clean(error.get("type"), sent, limit=100)
    param = error.get("param")
    message = _message(error, sent)
    if not code and not message:
        return None
    return ErrorBody(
        code=code or told_type,
        words=tuple(word.lower() for word in (code, told_type) if word),
        message=message,
        param=param if isinstance(param, str) and _PARAM.fullmatch(param) else "",
        type=told_type,
        sentence=to_safe_sentence(error.get("message"), sent),
    )


def _message(error: Mapping[str, Any], sent: httpx.Request) -> str:
    detail = error.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], Mapping):
        detail = detail[0].get("msg")
    texts = (error.get("message"), error.get("msg"), detail)
    return next((text for value in texts if (text := clean(value, sent))), "")


def is_known(error: ErrorBody) -> bool:
    """Whether it has a word that we know."""
    return any(word in _BY_WORD for word in error.words)


def is_refused_for_certain(error: ErrorBody, response: httpx.Response) -> bool:
    """Whether a 5xx with this error says that no job exists."""
    if any(word in _REFUSED_BEFORE for word in error.words):
        return True
    # How a vidgate says that every channel refused. The two together are nobody else's.
    is_final = response.headers.get("x-should-retry", "").strip().lower() == "false"
    is_vidgate = is_final and error.type == "upstream_error"
    return is_vidgate and response.status_code == httpx.codes.BAD_GATEWAY


def says_no_such_job(error: ErrorBody, response: httpx.Response) -> bool:
    """Whether the answer to a poll says clearly that the server does not know the job."""
    words = set(error.words)
    if words & _NO_SUCH_JOB:
        return response.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND}
    if response.status_code != httpx.codes.NOT_FOUND or is_known(error):
        return False
    return bool(words & _NOT_FOUND) or _NO_SUCH_JOB_TEXT.search(error.message) is not None


def to_fault(error: ErrorBody, response: httpx.Response) -> Fault:
    """Tell what an error at a submit means. An unknown 4xx is final, as the request's fault."""
    status = response.status_code
    otherwise = FaultKind.FAULT if response.is_server_error else FaultKind.BAD_PARAMETER
    kind = _kind(error, _BY_STATUS.get(status, otherwise))
    if status == httpx.codes.BAD_GATEWAY and kind.remedy is Remedy.RETRY_HERE:
        # A gateway remembers its answer by our key: the same submit gets the same one again.
        kind = FaultKind.FAULT
    fault = _fault(error, kind, f"HTTP_{status}", retry_after_seconds(response))
    if fault.param and error.sentence and status == httpx.codes.BAD_REQUEST:
        return replace(fault, safe_message=error.sentence)
    return fault


def to_follow_up_fault(error: ErrorBody, response: httpx.Response) -> Fault:
    """Tell what an error means where a video was named that is known at this channel alone."""
    fault = to_fault(error, response)
    status = response.status_code
    if status not in _SENTENCES or _kind(error, fault.kind) not in _ABOUT_THE_VIDEO:
        return fault
    sentence = _SENTENCES[status]
    if status == httpx.codes.NOT_FOUND and says_no_such_job(error, response):
        sentence = "The provider does not know this video any more."
    elif fault.param and (error.sentence or fault.param != "video"):
        sentence = fault.safe_message
    return replace(
        fault,
        kind=FaultKind.BAD_PARAMETER,
        safe_message=sentence,
        param=fault.param or error.param or "video",
    )


def to_job_fault(error: ErrorBody | None, word: str) -> Fault:
    """Tell why a job failed. An unknown reason is the server's failure."""
    if error is None:
        error = ErrorBody(code=word, words=(), message="")
    return _fault(error, _kind(error, FaultKind.FAULT), word, None)


def _kind(error: ErrorBody, otherwise: FaultKind) -> FaultKind:
    return next((_BY_WORD[word] for word in error.words if word in _BY_WORD), otherwise)


def _fault(error: ErrorBody, kind: FaultKind, code: str, retry_after: float | None) -> Fault:
    param = error.param if kind is FaultKind.BAD_PARAMETER else ""
    return Fault(
        kind=kind,
        code=error.code or code,
        message=error.message,
        safe_message=f"The provider refused the value of {param}." if param else "",
        retry_after_seconds=retry_after,
        param=param,
    )
