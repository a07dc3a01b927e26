"""Kling: what both generations of its API share (errors, fields, pictures, sizes, prices).

Rules enforced here: the business codes with their HTTP statuses; pictures as raw Base64 without a
`data:` prefix or as a URL that is not fetched, PNG or JPEG, each side at least 300 px, ratio 1:2.5
to 2.5:1, a size cap by generation; a clip is one frame longer than asked; units per second by
model.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from vidgate.sandbox.images import Picture, PictureError, read_picture
from vidgate.sandbox.video import Clip

__all__ = [
    "CODES",
    "KlingError",
    "Order",
    "choice",
    "clip_for",
    "flag",
    "items",
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
_SHORT_SIDES: Mapping[str, int] = {"720p": 720, "1080p": 1080, "4k": 2160}

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
    """

    model: str
    product: str
    prompt: str
    seconds: int
    rate: float
    clip: Clip
    external_id: str | None
    watermark: bool


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


def clip_for(resolution: str, ratio: float, seconds: int) -> Clip:
    """The clip delivered for a resolution and a shape."""
    short = _SHORT_SIDES[resolution]
    long = round(short * max(ratio, 1 / ratio) / 2) * 2
    width, height = (long, short) if ratio >= 1 else (short, long)
    return Clip.lasting(width, height, seconds)


def units_per_second(model: str, resolution: str, kind: str) -> float:
    """The price of a model, by its new name.

    The kind is `silent`, `native`, `voice`, or `video` when a reference video is given.
    """
    rates = _RATES.get((model, kind)) or _RATES[model, "silent"]
    return rates[min(tuple(_SHORT_SIDES).index(resolution), len(rates) - 1)]
