"""What Vidu's error codes mean.

The same codes come as HTTP errors when a job is made, for checks of the input, and as `err_code`
of a failed job, for checks that are done later.

Source: https://platform.vidu.cn/docs/error-code and https://platform.vidu.com/docs/error-code,
read 2026-11-20.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import Fault, FaultKind
from vidgate.providers.answers import KIND_OF_STATUS, MESSAGE_CHARACTERS, Answer, by_code, to_object
from vidgate.providers.vidu.fields import FIELDS

__all__ = [
    "KNOWN_CODES",
    "MAY_EXIST",
    "UNCERTAIN_CODES",
    "ErrorBody",
    "read_error",
    "status_of",
    "to_fault",
    "to_job_fault",
    "unclear",
]

MAY_EXIST = frozenset({408, 499})
"""The exchange was cut off; the work behind it perhaps was not."""

UNCERTAIN_CODES = frozenset({"InternalServiceFailure", "Canceled"})
"""After these, whatever the status, a job may have been made all the same."""

_PROMPT = "The provider refused the prompt because of its content policy."
_INPUT = "The provider refused the prompt or a picture because of its content policy."
_OUTPUT = "The provider withheld the video because of its content policy."
_PICTURE = (
    "The provider refused a picture: it takes png, jpeg or webp up to 50 MB, with a ratio of its "
    "sides between 1:4 and 4:1, and references of at least 128 pixels."
)
_DOWNLOAD = (
    "The provider could not download a picture; check that its URL is public, or send it inline."
)
_ITEMS = "The model takes another number of items in a field"
_FACE = "The provider did not find in the picture the face, body or object that it needs."

_CODES = by_code(
    {
        # Documented.
        "BadRequest CODEC Conflict CreationNotFound TaskNotFound": (FaultKind.BAD_PARAMETER, ""),
        "FieldLacking": (FaultKind.BAD_PARAMETER, "The provider misses a field"),
        "FieldUnwanted": (FaultKind.BAD_PARAMETER, "The model does not take a field"),
        "FieldInvalid": (FaultKind.BAD_PARAMETER, "The model does not take the value of a field"),
        "FieldItemCountOutOfRange": (FaultKind.BAD_PARAMETER, _ITEMS),
        "ImageDownloadFailure": (FaultKind.BAD_PARAMETER, _DOWNLOAD),
        "ImageFormatInvalid PageSizeOutOfRange": (FaultKind.BAD_PARAMETER, _PICTURE),
        "ImageCheckBodyJointsFailed ImageCheckFaceFailed": (FaultKind.BAD_PARAMETER, _FACE),
        "ImageObjectsUndetected": (FaultKind.BAD_PARAMETER, _FACE),
        "TaskPromptPolicyViolation": (FaultKind.CONTENT_POLICY, _PROMPT),
        "AuditSubmitIllegal": (FaultKind.CONTENT_POLICY, _INPUT),
        "CreationPolicyViolation": (FaultKind.CONTENT_POLICY, _OUTPUT),
        "CreditInsufficient": (FaultKind.BALANCE, ""),
        "ModelUnavailable": (FaultKind.MODEL_UNAVAILABLE, ""),
        "UserCancelled": (FaultKind.CANCELLED, ""),
        "Unauthorized Forbidden": (FaultKind.CREDENTIAL, ""),
        "NotFound InternalServiceFailure": (FaultKind.FAULT, ""),
        "QuotaExceeded": (FaultKind.CONCURRENCY, ""),
        "OperationInProcess SystemThrottling TooManyRequests": (FaultKind.RATE, ""),
        # Met by implementers.
        "AuditFailed PhotoAuditNotPass": (FaultKind.CONTENT_POLICY, _INPUT),
        "ImageSizeInvalid": (FaultKind.BAD_PARAMETER, _PICTURE),
        "FaceDetectFailure FaceDetectNotPass": (FaultKind.BAD_PARAMETER, _FACE),
        "MultiFaceDetected NoFaceDetected": (FaultKind.BAD_PARAMETER, _FACE),
    }
)

KNOWN_CODES = frozenset(_CODES)

_INPUT_PREFIXES = ("Field", "Image")
"""Codes of these families that are not in the table are about the request too."""

_FIELDS = FIELDS.documented | {"model", "server_id", "key_image"}
"""Documented names: only these, and those that it sent, are repeated to a client out of an error's
text."""

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_CODE_FIELDS = ("reason", "code", "err_code")
_CODE = re.compile(r"(?!(?i:success|ok)$)[A-Za-z][A-Za-z_]+")
"""A word that can be an error's."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as the vendor writes it, in any of its forms.

    Attributes:
        code: `reason`, else a textual `code`, else `err_code`, else `HTTP_<status>`.
        message: With the names of the fields and the trace id, for the operator.
        fields: Documented fields that it names, and those that were sent.
    """

    code: str
    message: str
    fields: tuple[str, ...] = ()


def read_error(answer: Answer) -> ErrorBody | None:
    """Read an error, `None` if it is not one in the vendor's form.

    In a success it is one only if it says so in so many words.
    """
    body = answer.body or {}

    def first(*names: str) -> str:
        return next(filter(None, (answer.words(body.get(name)) for name in names)), "")

    code, message = first(*_CODE_FIELDS), first("message", "msg", "err_msg")
    number = body.get("code")
    is_error = code or message or (isinstance(number, int | float) and not isinstance(number, bool))
    if answer.response.is_success:
        words = (body.get(name) for name in _CODE_FIELDS)
        is_worded = any(isinstance(word, str) and _CODE.fullmatch(word) for word in words)
        is_error = is_worded or _status_in(body) is not None
    if not is_error:
        return None
    metadata = to_object(body.get("metadata"))
    fields = answer.words(metadata.get("fields"))
    trace = answer.words(metadata.get("trace_id")) or answer.words(
        answer.response.headers.get("x-md-trace-id")
    )
    parts = (message, f"fields: {fields}" if fields else "", f"trace: {trace}" if trace else "")
    return ErrorBody(
        code=code[:100] or f"HTTP_{answer.status}",
        message="; ".join(filter(None, parts))[:MESSAGE_CHARACTERS],
        fields=tuple(
            name
            for name in dict.fromkeys(_FIELD_NAME.findall(fields or message.partition(":")[2]))
            if name in _FIELDS or f'"{name}":'.encode() in answer.sent.content
        ),
    )


def _status_in(body: Mapping[str, Any]) -> int | None:
    """The HTTP status of an error that a body tells, `None` if it tells none."""
    code = body.get("code")
    if isinstance(code, str) and re.fullmatch(r"[0-9]{3}", code):
        code = int(code)
    is_one = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600  # noqa: PLR2004 - of errors
    return code if is_one else None


def status_of(answer: Answer) -> int:
    """The HTTP status, or in a success the one that its error tells."""
    if not answer.response.is_success:
        return answer.status
    return _status_in(answer.body or {}) or httpx.codes.BAD_REQUEST


def unclear(answer: Answer, error: ErrorBody | None) -> ProviderProtocolError:
    """The error for an answer in which the vendor's error, if there is one, settles nothing."""
    return answer.unclear(error.code if error else "an error that is not the provider's own")


def to_fault(error: ErrorBody, answer: Answer) -> Fault:
    """Tell what an error at creation means. An unknown 4xx is final, as the request's fault."""
    kind = KIND_OF_STATUS.get(status_of(answer), FaultKind.BAD_PARAMETER)
    return _fault(error, kind, answer.retry_after_seconds)


def to_job_fault(error: ErrorBody) -> Fault:
    """Tell what the `err_code` of a failed job means. An unknown one is the provider's failure."""
    is_about_input = error.code.startswith(_INPUT_PREFIXES)
    return _fault(error, FaultKind.BAD_PARAMETER if is_about_input else FaultKind.FAULT, None)


def _fault(error: ErrorBody, otherwise: FaultKind, retry_after: float | None) -> Fault:
    kind, sentence = _CODES.get(error.code, (otherwise, ""))
    if error.code == "FieldInvalid" and error.fields == ("model",):
        # Which of the two codes an unknown model gets is not documented.
        kind, sentence = _CODES["ModelUnavailable"]
    if sentence and not sentence.endswith("."):
        sentence += f": {', '.join(error.fields)}." if error.fields else "."
    param = error.fields[0] if error.fields and kind is FaultKind.BAD_PARAMETER else ""
    return Fault(kind, error.code, error.message, sentence, retry_after, param)
