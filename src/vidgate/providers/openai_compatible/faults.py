"""What an error of a compatible server means, in any of the forms they have.

OpenAI's `{"error": {"message", "type", "param", "code"}}`, the same four flat (new-api, vidgate),
an `error` that is text, and FastAPI's `detail` (LiteLLM, vLLM). Words of machines are understood
first. A sentence is read only where a plain 400 has none of them, and only for short turns that
servers use for nothing else; what it repeats of the request in quotes is not read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from vidgate.models.outcomes import Fault, FaultKind, Remedy
from vidgate.providers.answers import (
    KIND_OF_STATUS,
    MAY_EXIST,
    NO_SUCH_PLACE,
    Answer,
    by_code,
    to_id,
    to_safe_sentence,
)

__all__ = [
    "JOB_ID",
    "ErrorBody",
    "is_refusal",
    "is_refused_for_certain",
    "read_error",
    "says_no_such_job",
    "to_fault",
    "to_follow_up_fault",
    "to_job_fault",
]

_BY_WORD = by_code(
    {
        # About the request.
        "invalid_value invalid_parameter unsupported_parameter missing_parameter bad_request_body "
        "missing_required_parameter unknown_parameter invalid_type invalid_json invalid_request "
        "invalid_image invalid_image_format invalid_seconds invalid_size request_too_large "
        "image_parse_error": FaultKind.BAD_PARAMETER,
        "content_policy_violation content_policy content_filter moderation_blocked "
        "sensitive_words_detected prompt_blocked safety_violation content_violation "
        "input_moderation output_moderation content_moderation": FaultKind.CONTENT_POLICY,
        # About the channel.
        "model_not_found model_not_available model_unavailable unsupported_model model_not_allowed "
        "model_price_error no_channel no_available_channel get_channel_failed unknown_model "
        "upstream_model_unavailable key_model_access_denied team_model_access_denied invalid_model "
        "user_model_access_denied modelnotfound model_not_exist model_not_exists modelunavailable "
        "model_does_not_exist model_not_supported modelnotopen": FaultKind.MODEL_UNAVAILABLE,
        "invalid_api_key invalid_token token_expired expired_key account_deactivated "
        "authentication_error token_not_found_in_db auth_error": FaultKind.CREDENTIAL,
        "insufficient_quota insufficient_user_quota insufficient_balance insufficient_credits "
        "quota_not_enough pre_consume_token_quota_failed billing_hard_limit_reached "
        "billing_not_active budget_exceeded": FaultKind.BALANCE,
        "concurrency_limit_exceeded concurrent_limit_exceeded too_many_concurrent_tasks "
        "concurrency_exceeded too_many_tasks": FaultKind.CONCURRENCY,
        "rate_limit_exceeded too_many_requests rate_limit_error throttling_error overloaded "
        "storage_unavailable": FaultKind.RATE,
        # About a job.
        "expired task_expired upstream_task_expired": FaultKind.EXPIRED,
        "cancelled canceled": FaultKind.CANCELLED,
    }
)

_FAILED_INSIDE = frozenset(
    {
        *("server_error", "internal_error", "internal_server_error", "api_error", "timeout"),
        *("request_timeout", "gateway_timeout", "upstream_error", "upstream_timeout"),
        *("service_unavailable", "fail_to_fetch_task", "do_request_failed", "bad_response"),
        *("bad_response_status_code", "bad_response_body", "read_response_body_failed"),
        *("unmarshal_response_body_failed", "copy_response_body_failed"),
    }
)
"""Words of a failure on the way, or behind the server: a job may have been made all the same."""

_IDS = frozenset({"id", "task_id", "taskid", "video_id", "videoid", "job_id", "jobid"})
_DEEPEST = 6

_NOTHING_LIKE_IT = "The provider has nothing that can do this with the video."
_SENTENCES: Mapping[int, str] = {
    **dict.fromkeys((400, 404, 405), _NOTHING_LIKE_IT),
    409: "The provider cannot do this with the video as it is.",
}
"""What a client reads about a refused follow-up where the server gives no sentence."""

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
"""FastAPI's errors have no word. It is asked again for some minutes."""

_PATH = re.compile(r"\S*/\S+")

_SUCCESS = frozenset({"", "0", "200", "success", "ok"})
_PARAM = re.compile(r"[a-z][a-z0-9_]{0,39}")

JOB_ID = re.compile(r"(?!\.+$)[!-~]{1,512}")
"""LiteLLM's are long, with base64 in them; they are escaped in a path, which dots are not."""

_TURNS: Mapping[FaultKind, tuple[str, ...]] = {
    FaultKind.CONTENT_POLICY: (
        r"content[ _-]?(?:policy|filter|violation|moderation)",
        r"\bmoderation\b",
        r"safety (?:system|policy|violation|filter)",
        *("sensitive (?:word|content)", "prohibited content", "敏感", "违规", "审核"),
    ),
    FaultKind.BALANCE: (
        r"(?:insufficient|not enough) (?:\w+ )?(?:balance|quota|credits?|funds)",
        r"(?:balance|quota|credits?) (?:is |are )?(?:not enough|insufficient|exceeded|exhausted)",
        *("余额不足", "额度不足", "欠费"),
    ),
    FaultKind.CONCURRENCY: (
        r"concurren\w+ (?:limit|exceeded)",
        "too many (?:concurrent|running|parallel)",
        "并发",
    ),
    FaultKind.RATE: (r"rate[ _-]?limit", r"too many requests", r"throttl", "频繁"),
    FaultKind.CREDENTIAL: (
        r"(?:invalid|incorrect|wrong|expired|missing) (?:api[ _-]?key|access token|credential)",
        r"(?:api[ _-]?key|access token|credentials?) (?:is |are )?(?:invalid|incorrect|wrong)",
        r"(?:api[ _-]?key|access token|credentials?) (?:is |are )?(?:expired|not valid|missing)",
        *(r"\bunauthorized\b", "令牌"),
    ),
}
_PATTERNS = {kind: re.compile("|".join(turns), re.IGNORECASE) for kind, turns in _TURNS.items()}

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|“[^”]*”")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as a server writes it.

    Attributes:
        code: `code`, else `type`, else empty.
        words: `code` and `type` in lower case: what it may be known by.
        message: For the operator.
        param: A field's name, or empty.
        type: As the server wrote it.
        sentence: The message where a client may read it, else empty.
    """

    code: str = ""
    words: tuple[str, ...] = ()
    message: str = ""
    param: str = ""
    type: str = ""
    sentence: str = ""

    @property
    def kind(self) -> FaultKind | None:
        """What the first of its words means that we know."""
        return next((_BY_WORD[word] for word in self.words if word in _BY_WORD), None)

    @property
    def told(self) -> str:
        """All that it says, in lower case."""
        return " ".join((*self.words, self.message)).lower()


def read_error(answer: Answer, body: Mapping[str, Any] | None) -> ErrorBody | None:
    """Find the error in a body, or in a part of one, or `None`."""
    if body is None:
        return None
    error = body.get("error")
    if isinstance(error, str) and error.strip():
        error = {"message": error, "code": body.get("code"), "type": body.get("type")}
    if not isinstance(error, Mapping) or not error:
        error = body
    code = error.get("code")
    if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 10**9:
        code = str(code)
    code = answer.words(code, limit=100)
    if code.lower() in _SUCCESS:
        code = ""
    type_ = answer.words(error.get("type"), limit=100)
    param = error.get("param")
    detail = error.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], Mapping):
        detail = detail[0].get("msg")
    texts = (answer.words(text) for text in (error.get("message"), error.get("msg"), detail))
    message = next(filter(None, texts), "")
    if not code and not message:
        return None
    return ErrorBody(
        code=code or type_,
        words=tuple(word.lower() for word in (code, type_) if word),
        message=message,
        param=param if isinstance(param, str) and _PARAM.fullmatch(param) else "",
        type=type_,
        sentence=to_safe_sentence(error.get("message"), *answer.secrets, answer.sent.url.host),
    )


def is_refused_for_certain(error: ErrorBody, answer: Answer) -> bool:
    """Whether a 5xx with this error says that no job exists."""
    if any(word in _REFUSED_BEFORE for word in error.words):
        return True
    # How a vidgate says that every channel refused. The two together are nobody else's.
    is_final = answer.response.headers.get("x-should-retry", "").strip().lower() == "false"
    is_vidgate = is_final and error.type == "upstream_error"
    return is_vidgate and answer.status == httpx.codes.BAD_GATEWAY


def says_no_such_job(error: ErrorBody, answer: Answer) -> bool:
    """Whether the answer to a poll says clearly that the server does not know the job."""
    words = set(error.words)
    if words & _NO_SUCH_JOB:
        says_no = answer.status in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND}
        return says_no or answer.response.is_success
    if answer.status != httpx.codes.NOT_FOUND or error.kind is not None:
        return False
    # The words of a path are no sentence about a job.
    text = _PATH.sub("", error.message)
    return bool(words & _NOT_FOUND) or _NO_SUCH_JOB_TEXT.search(text) is not None


def is_refusal(error: ErrorBody, body: Mapping[str, Any]) -> bool:
    """Whether a success without an id says explicitly that no job exists."""
    if _names_a_job(body) or "idempoten" in error.message.lower() or not _is_explicit(body):
        return False
    if error.kind is not None:
        return True
    status = _told_status(error)
    is_theirs = status >= httpx.codes.INTERNAL_SERVER_ERROR or status in MAY_EXIST
    return not is_theirs and not set(error.words) & _FAILED_INSIDE


def _is_explicit(body: Mapping[str, Any]) -> bool:
    error, code = body.get("error"), body.get("code")
    if isinstance(error, Mapping | str) and error:
        return True
    if isinstance(code, str) and not code.strip().lstrip("-").isdecimal():
        return code.strip().lower() not in _SUCCESS
    number = _to_integer(code)
    return body.get("success") is False or (
        number is not None and (number < 0 or number >= httpx.codes.BAD_REQUEST)
    )


def _names_a_job(value: Any, depth: int = 0) -> bool:
    """Whether anything anywhere in an answer could be the id of a job."""
    if depth > _DEEPEST:
        return True
    if isinstance(value, list):
        return any(_names_a_job(one, depth + 1) for one in value)
    if not isinstance(value, Mapping):
        return False
    data = value.get("data")
    return (
        (isinstance(data, str) and to_id(data, JOB_ID) is not None)
        or any(to_id(one, JOB_ID) for name, one in value.items() if name.lower() in _IDS)
        or any(_names_a_job(one, depth + 1) for one in value.values())
    )


def _to_integer(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,9}\s*", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _told_status(error: ErrorBody) -> int:
    """The HTTP status that an error has inside a success; 400 where it has none."""
    number = _to_integer(error.code)
    return number if number is not None and 400 <= number < 600 else 400  # noqa: PLR2004 - of errors


def to_fault(error: ErrorBody, answer: Answer) -> Fault:
    """Tell what an error at a submit means. An unknown 4xx is final, as the request's fault.

    An error inside a success means the same as one with the status it states.
    """
    status = _told_status(error) if answer.response.is_success else answer.status
    if status in NO_SUCH_PLACE and error.kind is None:
        if error.param == "model":
            return _fault(error, FaultKind.MODEL_UNAVAILABLE, f"HTTP_{status}", None)
        return answer.not_the_api(error.code)
    otherwise = FaultKind.FAULT if answer.response.is_server_error else FaultKind.BAD_PARAMETER
    otherwise = KIND_OF_STATUS.get(status, otherwise)
    if status == httpx.codes.BAD_REQUEST:
        text = _QUOTED.sub("", error.message)
        found = (kind for kind, pattern in _PATTERNS.items() if pattern.search(text))
        otherwise = next(found, otherwise)
    kind = error.kind or otherwise
    if status == httpx.codes.BAD_GATEWAY and kind.remedy is Remedy.RETRY_HERE:
        # A gateway remembers its answer by our key: the same submit gets the same one again.
        kind = FaultKind.FAULT
    fault = _fault(error, kind, f"HTTP_{status}", answer.retry_after_seconds)
    if fault.param and error.sentence and status == httpx.codes.BAD_REQUEST:
        return replace(fault, safe_message=error.sentence)
    return fault


def to_follow_up_fault(error: ErrorBody, answer: Answer) -> Fault:
    """Tell what an error means where a video was named that is known at this channel alone."""
    fault = to_fault(error, answer)
    status = answer.status
    # The server has made that video, so it is the endpoint alone that it lacks.
    is_lacking = status in NO_SUCH_PLACE
    kind = error.kind or (FaultKind.MODEL_UNAVAILABLE if is_lacking else fault.kind)
    if status not in _SENTENCES or kind not in _ABOUT_THE_VIDEO:
        return fault
    sentence = _SENTENCES[status]
    if status == httpx.codes.NOT_FOUND and says_no_such_job(error, answer):
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
    error = error or ErrorBody(code=word)
    return _fault(error, error.kind or FaultKind.FAULT, word, None)


def _fault(error: ErrorBody, kind: FaultKind, code: str, retry_after: float | None) -> Fault:
    param = error.param if kind is FaultKind.BAD_PARAMETER else ""
    says = f"The provider refused the value of {param}." if param else ""
    return Fault(kind, error.code or code, error.message, says, retry_after, param)
