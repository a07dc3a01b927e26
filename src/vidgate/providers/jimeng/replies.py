"""What the gateway and the service answer, in no provider's words."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

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

__all__ = ["ASKED_AT", "REQ_KEY", "SUCCESS", "read_poll", "read_submission"]

ASKED_AT = "vidgate.asked_at"
"""The request extension that carries when it was signed, since an adapter has no clock."""

REQ_KEY = "vidgate.req_key"
"""The request extension that carries the submit's `req_key`, which the answer does not repeat."""

SUCCESS = 10000

_URL_LIFETIME = timedelta(hours=1)
"""Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20"""

_LONGEST_TEXT = 500
"""Characters of the provider's own words that are kept for the operator."""

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

_NOT_OPENED = frozenset({30403, 30404, 50400})
"""The account has not been given the key in the console."""

_BAD_INPUT = frozenset({50200, 50215})
_INPUT_REFUSED_LATE = 50215
_RATE = 50429
_CONCURRENCY = 50430
_INTERNAL = frozenset({50500, 50501})

_GATEWAY_CODES: Mapping[str, tuple[int, FaultKind | None]] = {
    "MissingParameter": (100002, FaultKind.FAULT),
    "MissingRequestInfo": (100004, FaultKind.FAULT),
    # A clock is wrong, ours or theirs: signing again at once would not help.
    "InvalidTimestamp": (100006, FaultKind.FAULT),
    "ServiceNotFound": (100007, FaultKind.FAULT),
    "InvalidActionOrVersion": (100008, FaultKind.FAULT),
    "InvalidAccessKey": (100009, FaultKind.CREDENTIAL),
    "SignatureDoesNotMatch": (100010, FaultKind.CREDENTIAL),
    "LackPolicy": (100012, FaultKind.CREDENTIAL),
    "AccessDenied": (100013, FaultKind.CREDENTIAL),
    "FlowLimitExceeded": (100018, FaultKind.RATE),
    "InvalidAuthorization": (100024, FaultKind.CREDENTIAL),
    "InvalidCredential": (100025, FaultKind.CREDENTIAL),
    "InvalidSecretToken": (100026, FaultKind.CREDENTIAL),
    "InternalError": (100014, None),
    "InternalServiceTimeout": (100016, None),
    "ServiceUnavailableTemp": (100019, None),
    "InternalServiceError": (100023, None),
}
"""Codes before the service sees a call, by word and by number; `None`: it may have seen it.

Source: https://www.volcengine.com/docs/6369/68677, read 2026-11-20
"""

_GATEWAY_NUMBERS = dict(_GATEWAY_CODES.values())

_FIELDS = re.compile(
    r"\b(req_key|prompt|seed|frames|aspect_ratio|image_urls?|binary_data_base64|template_id"
    r"|camera_strength|video_url|audio_url)\b"
)
"""Fields that a refusal may name to a client, since they are words of the public documentation."""


@dataclass(frozen=True, slots=True)
class _GatewayError:
    """The gateway refused the call.

    Attributes:
        code: Its word, or its number as text where there is no word.
        kind: `None` where the service may have seen the call, or the code is unknown.
        is_known: Whether the code is in the table.
    """

    code: str
    kind: FaultKind | None
    is_known: bool
    message: str


@dataclass(frozen=True, slots=True)
class _ServiceReply:
    """The service's own envelope; `data` is empty where it was null or no object."""

    code: int
    message: str
    data: Mapping[str, Any]


_Reply: TypeAlias = _GatewayError | _ServiceReply


def read_submission(sent: httpx.Request, response: httpx.Response) -> Submission | Rejected:
    """Read the answer to a submit.

    Raises:
        ProviderProtocolError: It does not tell whether a job exists.
    """
    retry_after = _retry_after(sent, response)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise _unclear(response, retry_after)
    try:
        reply = _read(sent, response)
    except ProviderProtocolError:
        if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
            raise
        # Whoever counts requests refused this one, also where it did so in HTML.
        fault = Fault(FaultKind.RATE, "429", "", retry_after_seconds=retry_after)
        return Rejected(fault)
    if isinstance(reply, _ServiceReply) and reply.code == SUCCESS:
        return Submission(UpstreamRef(_task_id(reply), _req_key(sent)))

    kind, safe_message = _refusal(reply, response)
    if kind is None or (isinstance(reply, _ServiceReply) and "task_id" in reply.data):
        raise _unclear(response, retry_after, f"{reply.code} {reply.message}")
    return Rejected(Fault(kind, str(reply.code), reply.message, safe_message, retry_after))


def read_poll(sent: httpx.Request, response: httpx.Response) -> Outcome:
    """Read the answer to a question about one job.

    Raises:
        ProviderProtocolError: We could not ask.
    """
    retry_after = _retry_after(sent, response)
    status = response.status_code
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        raise _unclear(response, retry_after)
    reply = _read(sent, response)
    if isinstance(reply, _GatewayError):
        raise _unclear(response, retry_after, f"{reply.code} {reply.message}")
    if reply.code == SUCCESS:
        return _read_status(sent, response, reply.data)
    if reply.code in {_RATE, _CONCURRENCY} | _INTERNAL | _NOT_OPENED:
        raise _unclear(response, retry_after, f"{reply.code} {reply.message}")
    return _read_failure(reply)


# Submitting


def _refusal(reply: _Reply, response: httpx.Response) -> tuple[FaultKind | None, str]:
    """What a refusal is and what a client is told of it; no kind where a job may exist."""
    if isinstance(reply, _GatewayError):
        if reply.is_known:
            return reply.kind, ""
    else:
        known = _service_refusal(reply)
        if known is not None:
            return known
        if reply.code in _INTERNAL:
            return None, ""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return FaultKind.RATE, ""
    return (FaultKind.FAULT if response.is_client_error else None), ""


def _service_refusal(reply: _ServiceReply) -> tuple[FaultKind, str] | None:
    if reply.code in _MODERATION:
        return FaultKind.CONTENT_POLICY, _MODERATION[reply.code]
    if reply.code in _BAD_INPUT:
        return FaultKind.BAD_PARAMETER, _bad_input(reply.message)
    if reply.code in _NOT_OPENED:
        return FaultKind.MODEL_UNAVAILABLE, ""
    if reply.code in _MODERATION_BROKEN:
        return FaultKind.FAULT, ""
    return {_RATE: (FaultKind.RATE, ""), _CONCURRENCY: (FaultKind.CONCURRENCY, "")}.get(reply.code)


def _bad_input(message: str) -> str:
    """Name the field that was refused, where it is one: the rest may name what is not theirs."""
    names = dict.fromkeys(_FIELDS.findall(message))
    return f"The provider refused the value of {', '.join(names)}." if names else ""


def _task_id(reply: _ServiceReply) -> str:
    task_id = reply.data.get("task_id")
    if isinstance(task_id, int) and not isinstance(task_id, bool):
        task_id = str(task_id)
    if not isinstance(task_id, str) or not re.fullmatch(r"[!-~]{1,200}", task_id):
        raise ProviderProtocolError("Jimeng accepted the job and gave no task id.")
    return task_id


def _req_key(sent: httpx.Request) -> str:
    req_key = sent.extensions.get(REQ_KEY)
    if isinstance(req_key, str):
        return req_key
    # A request that was rebuilt on its way: its body says it too.
    try:
        return str(json.loads(sent.content)["req_key"])
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderProtocolError("Jimeng accepted a job that names no req_key.") from error


# Polling


def _read_status(sent: httpx.Request, response: httpx.Response, data: Mapping[str, Any]) -> Outcome:
    match data.get("status"):
        case "in_queue":
            return Pending(started=False)
        case "generating" | "processing":
            return Pending(started=True)
        case "done":
            return _read_video(sent, response, data.get("video_url"))
        case "not_found":
            return Failed(Fault(FaultKind.NOT_FOUND, "not_found", ""), doubtful=True)
        case "expired":
            return Failed(Fault(FaultKind.EXPIRED, "expired", ""), doubtful=True)
        case other:
            word = other if isinstance(other, str) else type(other).__name__
            return Unreadable(f"unknown status {_clean(word)}")


def _read_video(sent: httpx.Request, response: httpx.Response, url: Any) -> Outcome:
    is_url = isinstance(url, str) and url.isprintable()
    if not is_url or not url.startswith(("https://", "http://")):
        fault = Fault(FaultKind.FAULT, "done", "The job is done and has no video_url.")
        return Failed(fault, doubtful=True)
    return Succeeded(VideoResult(url=url, expires_at=_expiry(sent, response)))


def _read_failure(reply: _ServiceReply) -> Outcome:
    code = str(reply.code)
    if reply.code in _MODERATION:
        safe_message = _MODERATION[reply.code]
        return Failed(Fault(FaultKind.CONTENT_POLICY, code, reply.message, safe_message))
    if reply.code == _INPUT_REFUSED_LATE:
        safe_message = _bad_input(reply.message)
        return Failed(Fault(FaultKind.BAD_PARAMETER, code, reply.message, safe_message))
    if reply.code in _MODERATION_BROKEN:
        return Failed(Fault(FaultKind.FAULT, code, reply.message), doubtful=True)
    # Also 50200, with which the question may be meant and not the job.
    return Unreadable(f"code {code} {reply.message}".rstrip())


def _expiry(sent: httpx.Request, response: httpx.Response) -> datetime | None:
    answered_at = _parse_date(response.headers.get("date", "")) or _asked_at(sent)
    try:
        return answered_at + _URL_LIFETIME if answered_at else None
    except OverflowError:
        return None


# Both


def _read(sent: httpx.Request, response: httpx.Response) -> _Reply:
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise _unclear(response) from error
    if not isinstance(answer, dict):
        raise _unclear(response)
    envelope = answer.get("ResponseMetadata")
    if isinstance(envelope, dict):
        if envelope.get("Error"):
            return _read_gateway_error(sent, response, envelope)
        if isinstance(answer.get("Result"), dict):
            return _read_service_reply(sent, response, answer["Result"])
    return _read_service_reply(sent, response, answer)


def _read_gateway_error(
    sent: httpx.Request, response: httpx.Response, envelope: Mapping[str, Any]
) -> _GatewayError:
    error = envelope["Error"]
    if not isinstance(error, dict):
        raise _unclear(response)
    word, number = error.get("Code"), _whole_number(error.get("CodeN"))
    message = _words(sent, error.get("Message"), envelope.get("RequestId"))
    if isinstance(word, str) and word in _GATEWAY_CODES:
        return _GatewayError(word, _GATEWAY_CODES[word][1], is_known=True, message=message)
    code = _clean(word) if isinstance(word, str) and word else str(number)
    if number in _GATEWAY_NUMBERS:
        return _GatewayError(code, _GATEWAY_NUMBERS[number], is_known=True, message=message)
    if code == "None":
        raise _unclear(response)
    return _GatewayError(code, None, is_known=False, message=message)


def _read_service_reply(
    sent: httpx.Request, response: httpx.Response, answer: Mapping[str, Any]
) -> _ServiceReply:
    code = _whole_number(answer.get("code"))
    if code is None:
        raise _unclear(response)
    data = answer.get("data")
    message = _words(sent, answer.get("message"), answer.get("request_id"))
    return _ServiceReply(code, message, data if isinstance(data, dict) else {})


def _whole_number(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and abs(value) < 10**9 else None


def _words(sent: httpx.Request, message: Any, request_id: Any) -> str:
    """The provider's words and its id of the call, without what is secret of ours."""
    text = message if isinstance(message, str) else ""
    if isinstance(request_id, str) and request_id:
        text = f"{text} [request {request_id}]"
    for secret in _secrets(sent):
        text = text.replace(secret, "***")
    return _clean(text).strip()


def _secrets(sent: httpx.Request) -> list[str]:
    """What an error of the gateway may repeat: it likes to show what it calculated with."""
    authorization = sent.headers.get("authorization", "")
    found = re.findall(r"(?:Credential|Signature)=([^/,\s]+)", authorization)
    token = sent.headers.get("x-security-token")
    return [*found, token] if token else found


def _clean(text: str) -> str:
    """Take out what a database or a terminal chokes on."""
    return "".join(character for character in text if character.isprintable())[:_LONGEST_TEXT]


def _unclear(
    response: httpx.Response, retry_after: float | None = None, said: str = ""
) -> ProviderProtocolError:
    what = said.strip() or "nothing that can be read as its answer"
    return ProviderProtocolError(
        f"Jimeng answered HTTP {response.status_code} and {what}.", retry_after_seconds=retry_after
    )


def _retry_after(sent: httpx.Request, response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        return float(text)
    until, now = _parse_date(text), _asked_at(sent)
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _parse_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
        # A date that says -0000 is in UTC, and comes without a zone.
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _asked_at(sent: httpx.Request) -> datetime | None:
    asked_at = sent.extensions.get(ASKED_AT)
    return asked_at if isinstance(asked_at, datetime) else None
