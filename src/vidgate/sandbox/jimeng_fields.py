"""Jimeng: what each `req_key` takes, and what its videos look like.

Rules enforced here, in this order: `req_key` known (50200) and opened for the account (50400);
prompt where required; number of images, by URL or Base64 but not both; Base64 decodes to a picture
without `data:` prefix, on the 3.0 keys JPEG or PNG, 4.7 MB, up to 4096 on a side, short side from
320, ratio up to 3:1, first and last of one ratio; `frames` 121 or 241; `seed`; `aspect_ratio` in
the list where it is a field (empty is refused); `template_id` and `camera_strength` where required.
S2.0 Pro: 150 characters, 5 s, the text key ignores an image, the image key needs `aspect_ratio`.
What else is sent is ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidgate.sandbox.images import Picture, PictureError, read_picture
from vidgate.sandbox.video import FPS, Clip

__all__ = [
    "KEYS",
    "SIZES",
    "Key",
    "Order",
    "ServiceError",
    "invalid",
    "nearest",
    "number",
    "read_image",
    "read_order",
    "strings",
]

_RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")
_FRAMES = (121, 241)

SIZES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "1080": {
        "21:9": (2176, 928),
        "16:9": (1920, 1088),
        "4:3": (1664, 1248),
        "1:1": (1440, 1440),
        "3:4": (1248, 1664),
        "9:16": (1088, 1920),
    },
    "720": {
        "21:9": (1504, 640),
        "16:9": (1248, 704),
        "4:3": (1120, 832),
        "1:1": (960, 960),
        "3:4": (832, 1120),
        "9:16": (704, 1248),
        "9:21": (640, 1504),
    },
}
"""Pixels by tier and ratio; the 720 column is a guess but for 16:9."""

_TEMPLATES = frozenset(
    {
        "hitchcock_dolly_in",
        "hitchcock_dolly_out",
        "robo_arm",
        "dynamic_orbit",
        "central_orbit",
        "crane_push",
        "quick_pull_back",
        "counterclockwise_swivel",
        "clockwise_swivel",
        "handheld",
        "rapid_push_pull",
    }
)
_STRENGTHS = frozenset({"weak", "medium", "strong"})

_LARGEST_PICTURE = 4_928_307
"""4.7 MB in its widest reading, bytes of the decoded file."""

_LONGEST_SIDE = 4096
_SHORTEST_SIDE = 320
_LONGEST_RATIO = 3.0
_SAME_RATIO = 0.02
"""How far first and last frame may differ and still count as one ratio, as a fraction."""

_LARGEST_SEED = 2**31 - 1


class ServiceError(Exception):
    """A call that the service refuses in its own envelope."""

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


def invalid(what: str) -> ServiceError:
    """The refusal of a field."""
    return ServiceError(400, 50200, f"Invalid Input Parameters: {what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What one `req_key` takes.

    Attributes:
        images: How many it may have; the text key of S2.0 ignores them instead.
        price: CNY for a second.
        ratios: Allowed values of `aspect_ratio`; empty means that it is no field.
    """

    images: tuple[int, ...]
    tier: str
    price: float
    ratios: tuple[str, ...] = ()
    has_camera: bool = False
    is_pro: bool = False
    is_s2: bool = False


KEYS: Mapping[str, Key] = {
    "jimeng_t2v_v30": Key(images=(0,), tier="720", price=0.28, ratios=_RATIOS),
    "jimeng_t2v_v30_1080p": Key(images=(0,), tier="1080", price=0.63, ratios=_RATIOS),
    "jimeng_i2v_first_v30": Key(images=(1,), tier="720", price=0.28),
    "jimeng_i2v_first_v30_1080": Key(images=(1,), tier="1080", price=0.63),
    "jimeng_i2v_first_tail_v30": Key(images=(2,), tier="720", price=0.28),
    "jimeng_i2v_first_tail_v30_1080": Key(images=(2,), tier="1080", price=0.63),
    "jimeng_i2v_recamera_v30": Key(images=(1,), tier="720", price=0.28, has_camera=True),
    "jimeng_ti2v_v30_pro": Key(images=(0, 1), tier="1080", price=1.0, ratios=_RATIOS, is_pro=True),
    "jimeng_vgfm_t2v_l20": Key(
        images=(), tier="720", price=0.65, ratios=(*_RATIOS, "9:21"), is_s2=True
    ),
    "jimeng_vgfm_i2v_l20": Key(
        images=(1,), tier="720", price=0.65, ratios=(*_RATIOS, "9:21"), is_s2=True
    ),
}
"""Every key served."""

_LONGEST_S2_PROMPT = 150


@dataclass(frozen=True, slots=True)
class Order:
    """A submit that passed every check.

    Attributes:
        charge: CNY.
        callback_url: Where to tell of the end; `None` if nowhere.
        resp_data: What it makes instead of a video; `None` if it makes one.
    """

    req_key: str
    prompt: str
    clip: Clip
    charge: float
    callback_url: str | None = None
    resp_data: str | None = None


def read_order(body: Mapping[str, Any], closed: frozenset[str]) -> Order:
    """Check a submit; `closed` are the keys that are not opened for the account.

    Raises:
        ServiceError: Something about it is not acceptable.
    """
    req_key = body.get("req_key")
    if not isinstance(req_key, str) or req_key not in KEYS:
        raise invalid("req_key")
    if req_key in closed:
        raise ServiceError(400, 50400, "Access Denied")
    key = KEYS[req_key]
    prompt = body.get("prompt") or ""
    if not isinstance(prompt, str) or (key.is_s2 and len(prompt) > _LONGEST_S2_PROMPT):
        raise invalid("prompt")
    count, pictures = _read_images(body, key)
    # The page of S2.0 does not say that a picture needs words beside it.
    if not prompt.strip() and not ((key.is_pro or key.is_s2) and count):
        raise invalid("prompt")
    frames = _frames(body, key)
    if not -1 <= number(body, "seed", -1) <= _LARGEST_SEED:
        raise invalid("seed")
    ratio = _ratio(body, key, has_image=bool(count))
    _check_camera(body, key)
    if pictures and (not key.ratios or key.is_pro):
        ratio = nearest(pictures[0].ratio, SIZES[key.tier])
    width, height = SIZES[key.tier][ratio]
    charge = round(key.price * (frames - 1) / FPS, 2)
    return Order(req_key, prompt, Clip(width, height, frames), charge)


def _frames(body: Mapping[str, Any], key: Key) -> int:
    frames = _FRAMES[0] if key.is_s2 else number(body, "frames", _FRAMES[0])
    if frames not in _FRAMES:
        raise invalid("frames")
    return frames


def _check_camera(body: Mapping[str, Any], key: Key) -> None:
    if not key.has_camera:
        return
    for name, allowed in (("template_id", _TEMPLATES), ("camera_strength", _STRENGTHS)):
        if body.get(name) not in allowed:
            raise invalid(name)


def _read_images(body: Mapping[str, Any], key: Key) -> tuple[int, list[Picture]]:
    """How many images there are, and those that came inline."""
    if not key.images:
        return 0, []
    urls = strings(body, "image_urls")
    encoded = strings(body, "binary_data_base64")
    if urls and encoded:
        raise invalid("image_urls and binary_data_base64")
    count = len(urls) + len(encoded)
    if count not in key.images:
        raise invalid("image_urls")
    if not all(url.startswith(("http://", "https://")) for url in urls):
        raise invalid("image_urls")
    # The page of S2.0 states no limit of a picture.
    pictures = [_decode(item) if key.is_s2 else _read_frame(item) for item in encoded]
    if len(pictures) > 1:
        first, last = pictures[0].ratio, pictures[1].ratio
        if abs(first - last) > _SAME_RATIO * first:
            raise invalid("binary_data_base64: the images differ in ratio")
    return count, pictures


def read_image(item: str) -> Picture:
    """Decode a picture and check its kind and its weight.

    Raises:
        ServiceError: It is no acceptable picture.
    """
    picture = _decode(item)
    if picture.kind not in {"png", "jpeg"} or picture.size_bytes > _LARGEST_PICTURE:
        raise invalid("binary_data_base64")
    return picture


def _read_frame(item: str) -> Picture:
    """The same for the 3.0 family, which has rules for the pixels too."""
    picture = read_image(item)
    shortest, longest = sorted((picture.width, picture.height))
    if shortest < _SHORTEST_SIDE or longest > _LONGEST_SIDE or picture.elongation > _LONGEST_RATIO:
        raise invalid("binary_data_base64")
    return picture


def _decode(item: str) -> Picture:
    try:
        return read_picture(item)
    except PictureError as error:
        raise invalid("binary_data_base64") from error


def strings(body: Mapping[str, Any], name: str) -> list[str]:
    """An optional list of texts, none of them empty.

    Raises:
        ServiceError: It is something else.
    """
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise invalid(name)
    return value


def number(body: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number.

    Raises:
        ServiceError: It is something else.
    """
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(name)
    return value


def _ratio(body: Mapping[str, Any], key: Key, *, has_image: bool) -> str:
    needs_ratio = key.is_s2 and bool(key.images)
    if not key.ratios or ("aspect_ratio" not in body and not needs_ratio):
        return "16:9"
    ratio = body.get("aspect_ratio")
    if ratio not in key.ratios and not (key.is_pro and has_image and ratio):
        raise invalid("aspect_ratio")
    return ratio if ratio in key.ratios else "16:9"


def nearest(shape: float, sizes: Mapping[str, tuple[int, int]]) -> str:
    """The ratio of a table that is closest to a shape."""
    return min(sizes, key=lambda ratio: abs(sizes[ratio][0] / sizes[ratio][1] - shape))
