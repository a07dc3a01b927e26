"""Kling: what both generations of its API share (errors, fields, pictures, sizes, prices).

Rules enforced here: the business codes with their HTTP statuses; pictures as raw Base64 without a
`data:` prefix or as a URL that is not fetched, PNG or JPEG, each side at least 300 px, ratio 1:2.5
to 2.5:1, a size cap by generation; a clip is one frame longer than asked; units per second by
model.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from vidgate.sandbox.images import Picture, PictureError, read_picture
from vidgate.sandbox.video import Clip

__all__ = [
    "CODES",
    "INVALID",
    "LEGACY_RESOLUTIONS",
    "MALFORMED",
    "RATIOS",
    "SHORT_SIDES",
    "KlingError",
    "Order",
    "choice",
    "clip_for",
    "flag",
    "flat_order",
    "items",
    "legacy_model",
    "members",
    "picture_or_url",
    "text",
    "units_per_second",
]

CODES: Mapping[int, tuple[int, str]] = {
    1000: (401, "Authentication failed"),
    1001: (401, "Authorization is empty"),
    1002: (401, "Authorization is invalid. AK/SK is not supported here, please create an API key"),
    1003: (401, "Authorization is not yet valid"),
    1004: (401, "Authorization has expired"),
    1100: (429, "Account exception"),
    1101: (429, "Account in arrears"),
    1102: (429, "Account balance not enough"),
    1103: (403, "No permission for the requested resource"),
    1200: (400, "Invalid request parameters"),
    1201: (400, "Invalid parameters"),
    1202: (404, "The requested method is invalid"),
    1203: (404, "The requested resource does not exist"),
    1300: (400, "Triggers the strategy of the platform"),
    1301: (400, "Triggers the content security policy of the platform"),
    1302: (429, "The API request is too fast"),
    1303: (429, "parallel task over resource pack limit"),
    1304: (429, "The request triggers the IP whitelisting policy"),
    5000: (500, "Server internal error"),
    5001: (503, "Server temporarily unavailable"),
    5002: (504, "Server internal timeout"),
}
"""HTTP status and text of each business code."""

MALFORMED = 1200
INVALID = 1201

RATIOS: Mapping[str, float] = {"16:9": 16 / 9, "9:16": 9 / 16, "1:1": 1.0}
SHORT_SIDES: Mapping[str, int] = {"720p": 720, "1080p": 1080, "4k": 2160}

LEGACY_RESOLUTIONS: Mapping[str, str] = {"std": "720p", "pro": "1080p", "4k": "4k"}
"""What each `mode` of the legacy generation is called in the new one."""

_RETIRED = frozenset(
    {
        "kling-v1",
        "kling-v1-5",
        "kling-v1-6",
        "kling-v2-master",
        "kling-v2-1",
        "kling-v2-1-master",
    }
)
_PATH_ONLY = frozenset({"kling-v3-turbo", "kling-o1"})
_GONE = 1203

_SMALLEST_SIDE = 300
_LONGEST_RATIO = 2.5

_RATES: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("kling-3.0-turbo", "silent"): (0.8, 1.0),
    ("kling-3.0-turbo", "native"): (0.8, 1.0),
    ("kling-3.0", "silent"): (0.6, 0.8, 3.0),
    ("kling-3.0", "native"): (0.9, 1.2, 3.0),
    ("kling-3.0-omni", "silent"): (0.6, 0.8, 3.0),
    ("kling-3.0-omni", "native"): (0.8, 1.0, 3.0),
    ("kling-3.0-omni", "video"): (0.9, 1.2, 3.0),
    ("kling-o1", "silent"): (0.6, 0.8),
    ("kling-o1", "video"): (0.9, 1.2),
    ("kling-2.6", "silent"): (0.3, 0.5),
    ("kling-2.6", "native"): (1.0, 1.0),
    ("kling-2.6", "voice"): (1.2, 1.2),
    ("kling-2.5-turbo", "silent"): (0.3, 0.5),
    ("kling-3.0", "motion"): (0.9, 1.2),
    ("kling-2.6", "motion"): (0.5, 0.8),
    ("kling-avatar", "silent"): (0.4, 0.8),
}
"""Units per second at 720p, 1080p and 4k."""


class KlingError(Exception):
    """A call that Kling refuses with a business code."""

    def __init__(self, code: int, message: str | None = None) -> None:
        self.code = code
        self.status, text = CODES[code]
        self.message = message or text
        super().__init__(self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A create call that passed every check.

    Attributes:
        model: By its new-generation name, whichever generation asked.
        seconds: Seconds asked for, which is what is charged.
        rate: Units per second.
        callback_url: Where to tell of changes; `None` if nowhere.
        has_duration: Whether the result shows its length.
        extra: What the result shows besides.
    """

    model: str
    product: str
    prompt: str
    seconds: int
    rate: float
    clip: Clip
    external_id: str | None
    watermark: bool
    callback_url: str | None = None
    has_duration: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


def text(fields: Mapping[str, Any], name: str, *, longest: int | None = None) -> str | None:
    """An optional string; `None` when it is absent, null or empty.

    Raises:
        KlingError: It is something else, or too long.
    """
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise KlingError(MALFORMED, f"{name} must be a string")
    if longest is not None and len(value) > longest:
        raise KlingError(INVALID, f"{name}: size must be between 0 and {longest}")
    return value


def choice(
    fields: Mapping[str, Any], name: str, allowed: Collection[Any], default: Any, *, label: str = ""
) -> Any:
    """A value out of a list, or the default when it is absent or null.

    Raises:
        KlingError: It is not in the list; the text names the field.
    """
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, str | int) or value not in allowed:
        raise KlingError(INVALID, f"{label or name} value '{value}' is invalid")
    return value


def flag(fields: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """A boolean."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise KlingError(MALFORMED, f"{name} must be a boolean")
    return value


def members(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An optional object."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise KlingError(MALFORMED, f"{name} must be an object")
    return value


def items(fields: Mapping[str, Any], name: str, *, most: int) -> list[Mapping[str, Any]]:
    """An optional list of objects."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise KlingError(MALFORMED, f"{name} must be a list of objects")
    if len(value) > most:
        raise KlingError(INVALID, f"{name}: size must be between 0 and {most}")
    return value


def picture_or_url(value: Any, name: str, *, largest_bytes: int) -> Picture | None:
    """Check a picture; `largest_bytes` caps the decoded file.

    Returns:
        The picture, or `None` for a URL, which is not fetched.

    Raises:
        KlingError: It is neither a URL nor an acceptable picture.
    """
    if not isinstance(value, str) or not value:
        raise KlingError(INVALID, f"{name} is invalid")
    if value.startswith(("http://", "https://")):
        return None
    try:
        picture = read_picture(value)
    except PictureError as error:
        raise KlingError(
            INVALID, f"{name} is invalid: File is not in a valid base64 format"
        ) from error
    if picture.kind not in {"png", "jpeg"}:
        raise KlingError(INVALID, f"{name} is invalid: image format must be jpg, jpeg or png")
    if picture.size_bytes > largest_bytes:
        raise KlingError(INVALID, f"{name} is invalid: image size exceeds the limit")
    if min(picture.width, picture.height) < _SMALLEST_SIDE:
        raise KlingError(INVALID, f"{name} is invalid: image pixel is invalid")
    if picture.elongation > _LONGEST_RATIO:
        raise KlingError(INVALID, f"{name} is invalid: image aspect ratio is invalid")
    return picture


def legacy_model(body: Mapping[str, Any], live: Collection[str], default: str) -> str:
    """The `model_name` of a legacy call.

    Raises:
        KlingError: It is not served on that path, not any more or never.
    """
    model = text(body, "model_name") or default
    if model in live:
        return model
    if model in _RETIRED:
        raise KlingError(_GONE, f"model {model} has been discontinued and is no longer available")
    if model in _PATH_ONLY:
        raise KlingError(_GONE, f"model {model} is not supported for this API")
    raise KlingError(INVALID, f"model_name value '{model}' is invalid")


def flat_order(
    body: Mapping[str, Any],
    *,
    model: str,
    product: str,
    rate: float,
    seconds: int,
    clip: Clip,
    has_duration: bool = True,
    extra: Mapping[str, Any] | None = None,
) -> Order:
    """The order of a legacy call, with the fields that they all have."""
    return Order(
        model=model,
        product=product,
        prompt=str(body.get("prompt") or ""),
        seconds=seconds,
        rate=rate,
        clip=clip,
        external_id=text(body, "external_task_id"),
        watermark=flag(members(body, "watermark_info"), "enabled", default=False),
        callback_url=text(body, "callback_url"),
        has_duration=has_duration,
        extra=extra or {},
    )


def clip_for(resolution: str, ratio: float, seconds: int) -> Clip:
    """The clip delivered for a resolution and a shape."""
    return Clip.lasting(2, 2, seconds).reshaped(SHORT_SIDES[resolution], ratio)


def units_per_second(model: str, resolution: str, kind: str) -> float:
    """The price of a model, by its new name.

    The kind is `silent`, `native`, `voice`, `motion`, or `video` when a reference video is given.
    """
    rates = _RATES.get((model, kind)) or _RATES[model, "silent"]
    return rates[min(tuple(SHORT_SIDES).index(resolution), len(rates) - 1)]
