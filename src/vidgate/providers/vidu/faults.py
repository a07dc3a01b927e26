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

from vidgate.models.outcomes import Fault, FaultKind
from vidgate.providers.answers import (
    MESSAGE_CHARACTERS,
    not_the_api,
    parse_object,
    retry_after_seconds,
    said,
    secret_of,
    to_words,
)

__all__ = [
    "KNOWN_CODES",
    "UNCERTAIN_CODES",
    "ErrorBody",
    "clean",
    "read_error",
    "read_refusal",
    "to_fault",
    "to_job_fault",
    "to_place_fault",
    "told",
    "told_status",
]

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
_FACE = "The provider did not find in the picture the face, body or object that it needs."

_CODES: Mapping[str, tuple[FaultKind, str]] = {
    # Documented.
    "BadRequest": (FaultKind.BAD_PARAMETER, ""),
    "CODEC": (FaultKind.BAD_PARAMETER, ""),
    "FieldLacking": (FaultKind.BAD_PARAMETER, "The provider misses a field"),
    "FieldUnwanted": (FaultKind.BAD_PARAMETER, "The model does not take a field"),
    "FieldInvalid": (FaultKind.BAD_PARAMETER, "The model does not take the value of a field"),
    "FieldItemCountOutOfRange": (
        FaultKind.BAD_PARAMETER,
        "The model takes another number of items in a field",
    ),
    "PageSizeOutOfRange": (FaultKind.BAD_PARAMETER, _PICTURE),
    "ImageDownloadFailure": (FaultKind.BAD_PARAMETER, _DOWNLOAD),
    "ImageFormatInvalid": (FaultKind.BAD_PARAMETER, _PICTURE),
    "ImageCheckBodyJointsFailed": (FaultKind.BAD_PARAMETER, _FACE),
    "ImageCheckFaceFailed": (FaultKind.BAD_PARAMETER, _FACE),
    "ImageObjectsUndetected": (FaultKind.BAD_PARAMETER, _FACE),
    "OperationInProcess": (FaultKind.RATE, ""),
    "TaskPromptPolicyViolation": (FaultKind.CONTENT_POLICY, _PROMPT),
    "AuditSubmitIllegal": (FaultKind.CONTENT_POLICY, _INPUT),
    "CreationPolicyViolation": (FaultKind.CONTENT_POLICY, _OUTPUT),
    "CreditInsufficient": (FaultKind.BALANCE, ""),
    "ModelUnavailable": (FaultKind.MODEL_UNAVAILABLE, ""),
    "UserCancelled": (FaultKind.CANCELLED, ""),
    "Unauthorized": (FaultKind.CREDENTIAL, ""),
    "Forbidden": (FaultKind.CREDENTIAL, ""),
    "TaskNotFound": (FaultKind.BAD_PARAMETER, ""),
    "CreationNotFound": (FaultKind.BAD_PARAMETER, ""),
    "NotFound": (FaultKind.FAULT, ""),
    "Conflict": (FaultKind.BAD_PARAMETER, ""),
    "QuotaExceeded": (FaultKind.CONCURRENCY, ""),
    "TooManyRequests": (FaultKind.RATE, ""),
    "SystemThrottling": (FaultKind.RATE, ""),
    "InternalServiceFailure": (FaultKind.FAULT, ""),
    # Met by implementers.
    "PhotoAuditNotPass": (FaultKind.CONTENT_POLICY, _INPUT),
    "AuditFailed": (FaultKind.CONTENT_POLICY, _INPUT),
    "ImageSizeInvalid": (FaultKind.BAD_PARAMETER, _PICTURE),
    "FaceDetectFailure": (FaultKind.BAD_PARAMETER, _FACE),
    "FaceDetectNotPass": (FaultKind.BAD_PARAMETER, _FACE),
    "NoFaceDetected": (FaultKind.BAD_PARAMETER, _FACE),
    "MultiFaceDetected": (FaultKind.BAD_PARAMETER, _FACE),
}

KNOWN_CODES = frozenset(_CODES)

_STATUSES: Mapping[int, FaultKind] = {
    401: FaultKind.CREDENTIAL,
    402: FaultKind.BALANCE,
    403: FaultKind.CREDENTIAL,
    404: FaultKind.FAULT,
    405: FaultKind.FAULT,
    429: FaultKind.RATE,
}
"""What a code we do not know means at creation. 404 there is a path that does not exist."""

_INPUT_PREFIXES = ("Field", "Image")
"""Codes of these families that are not in the table are about the request too."""

_FIELDS = frozenset(
    {
        *("model", "prompt", "images", "duration", "seed", "resolution", "aspect_ratio"),
        *("movement_amplitude", "style", "bgm", "audio", "audio_type", "voice_id", "is_rec"),
        *("off_peak", "watermark", "wm_position", "wm_url", "meta_data", "subjects"),
        *("auto_subjects", "videos", "sounds", "server_id", "start_image", "image_settings"),
        *("key_image", "video_creation_id", "video_url", "upscale_resolution", "template"),
        *("area", "beast", "story", "audio_url", "text", "speed", "volume", "ref_photo_url"),
    }
)
"""Documented names: only these are repeated to a client out of an error's text."""

_CODE = re.compile(r"(?!(?i:success|ok)$)[A-Za-z][A-Za-z_]+")
"""A word that can be an error's."""

_KEY = re.compile(r"\bvda_[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as the vendor writes it, in any of its forms.

    Attributes:
        code: `reason`, else a textual `code`, else `err_code`, else `HTTP_<status>`.
        message: With the names of the fields and the trace id, for the operator.
        fields: Documented fields that it names.
    """

    code: str
    message: str
    fields: tuple[str, ...] = ()


def clean(value: Any, sent: httpx.Request, *, limit: int = MESSAGE_CHARACTERS) -> str:
    """Make text of an answer fit to be kept, without a key."""
    return to_words(value, secret_of(sent), keys=_KEY, limit=limit)


def read_error(sent: httpx.Request, response: httpx.Response) -> ErrorBody | None:
    """Read an error, whatever its status; `None` if it is not one in the vendor's form."""
    body = parse_object(response)
    if body is None:
        return None
    code = next(
        (text for name in ("reason", "code", "err_code") if (text := clean(body.get(name), sent))),
        "",
    )
    message = next(
        (text for name in ("message", "msg", "err_msg") if (text := clean(body.get(name), sent))),
        "",
    )
    if not code and not message and not _is_number(body.get("code")):
        return None
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    fields = clean(metadata.get("fields"), sent)
    trace = clean(metadata.get("trace_id"), sent) or clean(
        response.headers.get("x-md-trace-id"), sent
    )
    parts = (message, f"fields: {fields}" if fields else "", f"trace: {trace}" if trace else "")
    return ErrorBody(
        code=code[:100] or f"HTTP_{response.status_code}",
        message="; ".join(part for part in parts if part)[:MESSAGE_CHARACTERS],
        fields=_documented_fields(fields or message.partition(":")[2]),
    )


def read_refusal(sent: httpx.Request, response: httpx.Response) -> ErrorBody | None:
    """Read the error in a success; `None` if it says none in so many words."""
    body = parse_object(response)
    if body is None or not _is_explicit(body):
        return None
    return read_error(sent, response)


def _is_explicit(body: Mapping[str, Any]) -> bool:
    number = _status_in(body)
    words = (body.get(name) for name in ("reason", "code", "err_code"))
    is_worded = any(isinstance(word, str) and _CODE.fullmatch(word) for word in words)
    return is_worded or number is not None


def _status_in(body: Mapping[str, Any]) -> int | None:
    """The HTTP status of an error that a body tells, `None` if it tells none."""
    code = body.get("code")
    if isinstance(code, str) and re.fullmatch(r"[0-9]{3}", code):
        code = int(code)
    is_one = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600  # noqa: PLR2004 - of errors
    return code if is_one else None


def told_status(response: httpx.Response) -> int:
    """The HTTP status, or in a success the one that its error tells."""
    if not response.is_success:
        return response.status_code
    return _status_in(parse_object(response) or {}) or httpx.codes.BAD_REQUEST


def to_fault(error: ErrorBody, response: httpx.Response) -> Fault:
    """Tell what an error at creation means. An unknown 4xx is final, as the request's fault."""
    kind = _STATUSES.get(told_status(response), FaultKind.BAD_PARAMETER)
    return _fault(error, kind, retry_after_seconds(response))


def to_place_fault(sent: httpx.Request, response: httpx.Response, code: str = "") -> Fault:
    """The fault of a base URL at which something else answers."""
    return not_the_api(sent, response, secret_of(sent), keys=_KEY, code=code)


def told(sent: httpx.Request, response: httpx.Response) -> str:
    """What an answer says that cannot be understood, in short and without a key."""
    return said(response, secret_of(sent), keys=_KEY)


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
    return Fault(
        kind=kind,
        code=error.code,
        message=error.message,
        safe_message=sentence,
        retry_after_seconds=retry_after,
        param=error.fields[0] if error.fields and kind is FaultKind.BAD_PARAMETER else "",
    )


def _documented_fields(text: str) -> tuple[str, ...]:
    found = re.findall(r"[a-z_]+", text)
    return tuple(dict.fromkeys(name for name in found if name in _FIELDS))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
