"""The envelopes of the gateway and of the service, and what is the same of every answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import FaultKind
from vidgate.providers.answers import parse_object, said, to_words

__all__ = [
    "BAD_INPUT",
    "COULD_NOT_ASK",
    "INTERNAL",
    "NOT_OPENED",
    "SUCCESS",
    "TOO_MANY",
    "GatewayError",
    "Reply",
    "ServiceReply",
    "parse_date",
    "read_reply",
    "secrets",
    "unclear",
]

SUCCESS = 10000

NOT_OPENED = frozenset({30403, 30404, 50400})
"""The account has not been given the key in the console."""

BAD_INPUT = frozenset({50200, 50215})

TOO_MANY: Mapping[int, FaultKind] = {50429: FaultKind.RATE, 50430: FaultKind.CONCURRENCY}

INTERNAL = frozenset({50500, 50501})

COULD_NOT_ASK = {*TOO_MANY, *INTERNAL, *NOT_OPENED}
"""What says nothing of the job that a question is about.

Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20
"""

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

_GATEWAY_WORDS = {number: word for word, (number, _) in _GATEWAY_CODES.items()}


@dataclass(frozen=True, slots=True)
class GatewayError:
    """The gateway refused the call.

    Attributes:
        code: Its word, or its number as text where there is no word.
        word: The word of the table, empty where the code is not in it.
        kind: `None` where the service may have seen the call, or the code is unknown.
    """

    code: str
    word: str
    kind: FaultKind | None
    message: str


@dataclass(frozen=True, slots=True)
class ServiceReply:
    """The service's own envelope; `data` is empty where it was null or no object."""

    code: int
    message: str
    data: Mapping[str, Any]


Reply: TypeAlias = GatewayError | ServiceReply


def read_reply(sent: httpx.Request, response: httpx.Response) -> Reply:
    """Read either envelope, the service's also where the gateway's is around it.

    Raises:
        ProviderProtocolError: It is neither.
    """
    answer = parse_object(response)
    if answer is None:
        raise unclear(sent, response)
    envelope = answer.get("ResponseMetadata")
    if isinstance(envelope, dict):
        if envelope.get("Error"):
            return _read_gateway_error(sent, response, envelope)
        if isinstance(answer.get("Result"), dict):
            return _read_service_reply(sent, response, answer["Result"])
    return _read_service_reply(sent, response, answer)


def _read_gateway_error(
    sent: httpx.Request, response: httpx.Response, envelope: Mapping[str, Any]
) -> GatewayError:
    error = envelope["Error"]
    if not isinstance(error, dict):
        raise unclear(sent, response)
    word_said, number = error.get("Code"), _whole_number(error.get("CodeN"))
    message = _words(sent, error.get("Message"), envelope.get("RequestId"))
    code = to_words(word_said) or str(number)
    word = code if code in _GATEWAY_CODES else _GATEWAY_WORDS.get(number or 0, "")
    if word:
        return GatewayError(code, word, _GATEWAY_CODES[word][1], message)
    if code == "None":
        raise unclear(sent, response)
    return GatewayError(code, "", None, message)


def _read_service_reply(
    sent: httpx.Request, response: httpx.Response, answer: Mapping[str, Any]
) -> ServiceReply:
    code = _whole_number(answer.get("code"))
    if code is None:
        raise unclear(sent, response)
    data = answer.get("data")
    message = _words(sent, answer.get("message"), answer.get("request_id"))
    return ServiceReply(code, message, data if isinstance(data, dict) else {})


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
    return to_words(text, *secrets(sent))


def secrets(sent: httpx.Request) -> list[str]:
    """What an error of the gateway may repeat: it likes to show what it calculated with."""
    authorization = sent.headers.get("authorization", "")
    found = re.findall(r"(?:Credential|Signature)=([^/,\s]+)", authorization)
    token = sent.headers.get("x-security-token")
    return [*found, token] if token else found


def unclear(
    sent: httpx.Request,
    response: httpx.Response,
    retry_after: float | None = None,
    understood: str = "",
) -> ProviderProtocolError:
    """The error for an answer that does not say what was asked."""
    what = understood.strip() or (
        f"nothing that can be read as its answer: {said(response, *secrets(sent))}"
    )
    return ProviderProtocolError(
        f"Jimeng answered HTTP {response.status_code} and {what}.", retry_after_seconds=retry_after
    )


def parse_date(text: str) -> datetime | None:
    """Read a date as HTTP writes it, `None` where it is none."""
    try:
        parsed = parsedate_to_datetime(text)
        # A date that says -0000 is in UTC, and comes without a zone.
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
