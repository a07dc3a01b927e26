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
    parse_object,
    retry_after_seconds,
    secret_of,
    to_words,
)

__all__ = [
    "UNCERTAIN_CODES",
    "ErrorBody",
    "clean",
    "read_error",
    "to_fault",
    "to_job_fault",
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
    "NotFound": (FaultKind.MODEL_UNAVAILABLE, ""),
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

_STATUSES: Mapping[int, FaultKind] = {
    401: FaultKind.CREDENTIAL,
    402: FaultKind.BALANCE,
    403: FaultKind.CREDENTIAL,
    404: FaultKind.MODEL_UNAVAILABLE,
    429: FaultKind.RATE,
}
"""What a code we do not know means at creation. 404 there is a path that the account lacks."""

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
    """Read an answer that is not 2xx; `None` if it is not an error in the vendor's form."""
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


def to_fault(error: ErrorBody, response: httpx.Response) -> Fault:
    """Tell what an error at creation means. An unknown 4xx is final, as the request's fault."""
    kind = _STATUSES.get(response.status_code, FaultKind.BAD_PARAMETER)
    return _fault(error, kind, retry_after_seconds(response))


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
