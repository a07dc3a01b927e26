"""What the answers to a submit and to a poll mean, in no provider's words."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import (
    Failed,
    Fault,
    FaultKind,
    Outcome,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
    VideoResult,
)
from vidgate.providers.answers import (
    NO_LINK,
    NO_SUCH_PLACE,
    not_the_api,
    retry_after_seconds,
    to_words,
)
from vidgate.providers.jimeng.answers import (
    BAD_INPUT,
    COULD_NOT_ASK,
    INTERNAL,
    NOT_OPENED,
    SUCCESS,
    TOO_MANY,
    GatewayError,
    Reply,
    ServiceReply,
    parse_date,
    read_reply,
    secrets,
    unclear,
)
from vidgate.providers.jimeng.catalogue import LINK_LIFETIME
from vidgate.providers.jimeng.questions import Question, write_kind

__all__ = ["read_poll", "read_submission"]

_MODERATION: Mapping[int, str] = {
    50411: "The provider's moderation refused a picture of the request.",
    50412: "The provider's moderation refused the prompt.",
    50413: "The provider's moderation found sensitive or protected words in the prompt.",
    50511: "The provider's moderation refused the pictures that were made.",
    50512: "The provider's moderation refused the text that was made.",
    50513: "The provider's moderation refused the video of the request.",
    50514: "The provider's moderation refused the audio of the request.",
    50516: "The provider's moderation refused the video that was made.",
    50517: "The provider's moderation refused the audio that was made.",
    50518: "The provider's moderation found a protected work in a picture of the request.",
    50519: "The provider's moderation found a protected work in what was made.",
}
"""Codes with which content is refused, and what a client is told.

Some are called retryable; that would be a new job, so it is left to the client.

Source: https://www.volcengine.com/docs/85621/1777001, /1829013, read 2026-11-20
"""

_MODERATION_BROKEN = frozenset({50520, 50521, 50522})
"""The moderation itself failed."""

_SERVER_ERRORS = frozenset({5, 505})
"""The hundreds of codes of the service's own failures, and of HTTP's."""
_FAILED_INSIDE = re.compile(r"internal|timeout|timed out|unavailable|unknown", re.IGNORECASE)

_INPUT_REFUSED_LATE = 50215

_KEY_FIELD = "req_key"
_FIELDS = re.compile(
    r"\b(req_key|prompt|seed|frames|aspect_ratio|image_urls?|binary_data_base64|template_id"
    r"|camera_strength|video_url|audio_url|mask_url|output_resolution|pe_fast_mode"
    r"|cut_result_first_second_switch)\b"
)
"""Fields that a refusal may name to a client, since they are words of the public documentation."""


def read_submission(
    sent: httpx.Request, response: httpx.Response, question: Question
) -> Submission | Rejected:
    """Read the answer to a submit.

    Args:
        sent: The submit.
        response: Its answer.
        question: How to ask about the job, which the answer does not say.

    Raises:
        ProviderProtocolError: It does not tell whether a job exists.
    """
    retry_after = retry_after_seconds(response)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise unclear(sent, response, retry_after)
    try:
        reply = read_reply(sent, response)
    except ProviderProtocolError:
        if response.status_code in NO_SUCH_PLACE:
            return Rejected(not_the_api(sent, response, *secrets(sent)))
        if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
            raise
        # Whoever counts requests refused this one, also where it did so in HTML.
        fault = Fault(FaultKind.RATE, "429", "", retry_after_seconds=retry_after)
        return Rejected(fault)
    if isinstance(reply, ServiceReply) and reply.code == SUCCESS:
        return Submission(UpstreamRef(_task_id(reply), write_kind(question)))

    kind = _refusal(question.req_key, reply, response)
    if kind is None or (isinstance(reply, ServiceReply) and "task_id" in reply.data):
        raise unclear(sent, response, retry_after, f"{reply.code} {reply.message}")
    if response.status_code in NO_SUCH_PLACE and kind is FaultKind.FAULT:
        code = str(reply.code)
        return Rejected(not_the_api(sent, response, *secrets(sent), code=code))
    return Rejected(_fault(kind, reply, retry_after))


def read_poll(sent: httpx.Request, response: httpx.Response, asked_at: datetime) -> Outcome:
    """Read the answer to a question about one job.

    Raises:
        ProviderProtocolError: We could not ask.
    """
    retry_after = retry_after_seconds(response)
    status = response.status_code
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        raise unclear(sent, response, retry_after)
    reply = read_reply(sent, response)
    if isinstance(reply, GatewayError):
        raise unclear(sent, response, retry_after, f"{reply.code} {reply.message}")
    if reply.code == SUCCESS:
        return _read_status(response, reply.data, asked_at)
    if reply.code in COULD_NOT_ASK:
        raise unclear(sent, response, retry_after, f"{reply.code} {reply.message}")
    return _read_failure(reply)


# Submitting


def _refusal(req_key: str, reply: Reply, response: httpx.Response) -> FaultKind | None:
    """What a refusal is, `None` where a job may exist."""
    if isinstance(reply, GatewayError):
        if reply.word:
            return reply.kind
    else:
        kind = _service_refusal(req_key, reply)
        if kind is not None:
            return kind
        if reply.code in INTERNAL:
            return None
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return FaultKind.RATE
    is_refusal = response.is_client_error or (response.is_success and not _is_theirs(reply))
    return FaultKind.FAULT if is_refusal else None


def _is_theirs(reply: Reply) -> bool:
    """Whether a code that nobody documents may be of a failure on their side: a job may exist."""
    if isinstance(reply, GatewayError):
        return _FAILED_INSIDE.search(reply.code) is not None
    is_server_error = reply.code // 100 in _SERVER_ERRORS
    return is_server_error or _FAILED_INSIDE.search(reply.message) is not None


def _service_refusal(req_key: str, reply: ServiceReply) -> FaultKind | None:
    if reply.code in _MODERATION:
        return FaultKind.CONTENT_POLICY
    if reply.code in BAD_INPUT:
        fields = _fields_in(reply.message)
        # A service without the field's name may tell the key that it was given.
        is_key = fields[0] == _KEY_FIELD if fields else req_key in reply.message
        return FaultKind.MODEL_UNAVAILABLE if is_key else FaultKind.BAD_PARAMETER
    if reply.code in NOT_OPENED:
        return FaultKind.MODEL_UNAVAILABLE
    if reply.code in _MODERATION_BROKEN:
        return FaultKind.FAULT
    return TOO_MANY.get(reply.code)


def _fault(kind: FaultKind, reply: Reply, retry_after: float | None = None) -> Fault:
    """A refusal or failure, with what a client may be told of it.

    Only the field that was refused is named: the provider's words may hold what is not theirs.
    """
    code, safe_message, fields = str(reply.code), "", []
    if kind is FaultKind.CONTENT_POLICY and isinstance(reply, ServiceReply):
        safe_message = _MODERATION[reply.code]
    if kind is FaultKind.BAD_PARAMETER:
        fields = _fields_in(reply.message)
    if fields:
        safe_message = f"The provider refused the value of {', '.join(fields)}."
    param = fields[0] if fields else ""
    return Fault(kind, code, reply.message, safe_message, retry_after, param)


def _fields_in(message: str) -> list[str]:
    return list(dict.fromkeys(_FIELDS.findall(message)))


def _task_id(reply: ServiceReply) -> str:
    task_id = reply.data.get("task_id")
    if isinstance(task_id, int) and not isinstance(task_id, bool):
        task_id = str(task_id)
    if not isinstance(task_id, str) or not re.fullmatch(r"[!-~]{1,200}", task_id):
        raise ProviderProtocolError("Jimeng accepted the job and gave no task id.")
    return task_id


# Polling


def _read_status(response: httpx.Response, data: Mapping[str, Any], asked_at: datetime) -> Outcome:
    match data.get("status"):
        case "processing" | "in_queue":  # OmniHuman says the first before the second
            return Pending(started=False)
        case "generating":
            return Pending(started=True)
        case "done":
            return _read_video(response, data.get("video_url"), asked_at)
        case "not_found":
            return Failed(Fault(FaultKind.NOT_FOUND, "not_found", ""), doubtful=True)
        case "expired":
            return Failed(Fault(FaultKind.EXPIRED, "expired", ""), doubtful=True)
        case other:
            word = other if isinstance(other, str) else type(other).__name__
            return Unreadable(f"unknown status {to_words(word, limit=60)!r}")


def _read_video(response: httpx.Response, url: Any, asked_at: datetime) -> Outcome:
    is_url = isinstance(url, str) and url.isprintable()
    if not is_url or not url.startswith(("https://", "http://")):
        fault = Fault(FaultKind.FAULT, "done", "The job is done and has no video_url.", NO_LINK)
        return Failed(fault, doubtful=True)
    return Succeeded(VideoResult(url=url, expires_at=_expiry(response, asked_at)))


def _read_failure(reply: ServiceReply) -> Outcome:
    if reply.code in _MODERATION:
        return Failed(_fault(FaultKind.CONTENT_POLICY, reply))
    if reply.code == _INPUT_REFUSED_LATE:
        return Failed(_fault(FaultKind.BAD_PARAMETER, reply))
    if reply.code in _MODERATION_BROKEN:
        return Failed(_fault(FaultKind.FAULT, reply), doubtful=True)
    # Also 50200, with which the question may be meant and not the job.
    return Unreadable(f"code {reply.code} {reply.message}".rstrip())


def _expiry(response: httpx.Response, asked_at: datetime) -> datetime | None:
    answered_at = parse_date(response.headers.get("date", "")) or asked_at
    try:
        return answered_at + LINK_LIFETIME
    except OverflowError:
        return None
