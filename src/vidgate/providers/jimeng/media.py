"""What a request carries: its pictures, and what is wanted of them."""

from collections.abc import Sequence
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action
from vidgate.providers.jimeng.keys import INLINE_FIELD, KEYS, LIST_FIELD, URL_FIELD, ReqKey
from vidgate.providers.pictures import PictureLimits, check_picture, read_picture_facts
from vidgate.providers.pieces import encode_base64

__all__ = [
    "check_inline",
    "check_pictures",
    "count_pictures",
    "guess_action",
    "has_vendor_pictures",
    "wanted_action",
    "without_prefixes",
    "write_pictures",
]

_SAME_SHAPE = 0.02
"""How far the shapes of the first and the last frame may be apart, as a fraction.

The page wants the same ratio and names no tolerance; sizes are whole pixels.
"""


_NEWAPI_WORDS = {
    "textGenerate": Action.TEXT,
    "generate": Action.FIRST_FRAME,
    "firstTailGenerate": Action.FIRST_LAST_FRAME,
    "referenceGenerate": Action.REFERENCES,
}
"""What new-api calls the actions."""


def wanted_action(request: VideoRequest) -> Action | None:
    """What `metadata.action` asks for, `None` where it is not given.

    Raises:
        UnsupportedParameterError: It is neither one of our words nor of new-api's.
    """
    word = request.metadata.get("action")
    if word is None or word == "":
        return None
    if isinstance(word, str) and word in _NEWAPI_WORDS:
        return _NEWAPI_WORDS[word]
    if not isinstance(word, str) or word not in set(Action):
        raise UnsupportedParameterError(
            "metadata.action", "It names nothing that can be done.", allowed=tuple(Action)
        )
    return Action(word)


_DATA = "data:"


def guess_action(request: VideoRequest, pictures: int) -> Action:
    """What a key that we do not know will do, going by what it is given."""
    for name, action in _TELLING_FIELDS.items():
        if request.metadata.get(name) is not None:
            return action
    return (Action.TEXT, Action.FIRST_FRAME, Action.FIRST_LAST_FRAME)[min(pictures, 2)]


_TELLING_FIELDS = {
    "template_id": Action.CAMERA,
    "audio_url": Action.AVATAR,
    "video_url": Action.MOTION,
}


def has_vendor_pictures(request: VideoRequest, model: str) -> bool:
    """Whether `metadata` brings the pictures; the generic ones then give way to it."""
    return any(request.metadata.get(name) is not None for name in _fields(model))


def count_pictures(request: VideoRequest, model: str) -> int:
    """How many pictures a key or alias will be given."""
    if not has_vendor_pictures(request, model):
        return len(request.images)
    fields = (request.metadata.get(name) for name in _fields(model))
    return sum(
        len(value) if isinstance(value, list) else 1 for value in fields if value is not None
    )


def _fields(model: str) -> tuple[str, ...]:
    key = KEYS.get(model)
    return key.picture_fields if key else (LIST_FIELD, INLINE_FIELD)


def write_pictures(images: Sequence[Image], *, as_list: bool = True) -> dict[str, Any]:
    """Write the generic pictures in the provider's words: raw base64, without a `data:` prefix."""
    urls = [image.url for image in images if image.url is not None]
    if not as_list:
        return {URL_FIELD: urls[0]} if urls else {}
    inline = [encode_base64(image.content) for image in images if image.content is not None]
    fields = {LIST_FIELD: urls, INLINE_FIELD: inline}
    return {name: pictures for name, pictures in fields.items() if pictures}


def without_prefixes(value: Any) -> Any:
    """Write inline pictures of the client's as the service takes them: bare base64.

    Raises:
        UnsupportedParameterError: One is a `data:` URI of something else than base64.
    """
    if not isinstance(value, list):
        return value
    return [_without_prefix(text) if isinstance(text, str) else text for text in value]


def _without_prefix(text: str) -> str:
    if text[: len(_DATA)].lower() != _DATA:
        return text
    head, _, encoded = text.partition(",")
    if not head.lower().endswith(";base64"):
        raise UnsupportedParameterError(INLINE_FIELD, "A picture in it is not valid base64.")
    return encoded


def check_pictures(images: Sequence[Image], key: ReqKey, allowed: Sequence[int]) -> None:
    """Refuse generic pictures that a key does not take.

    Raises:
        UnsupportedParameterError: It names what is wrong and what is allowed.
    """
    if len(images) not in allowed:
        raise UnsupportedParameterError(
            "images",
            f"The number of pictures cannot be {len(images)} here ({key.name}).",
            allowed=allowed,
        )
    inline = [image.content for image in images if image.content is not None]
    if inline and INLINE_FIELD not in key.picture_fields:
        raise UnsupportedParameterError("images", f"{key.name} takes its picture as a URL only.")
    if inline and len(inline) != len(images):
        raise UnsupportedParameterError(
            "images", "Send all pictures as URLs, or all of them inline; they cannot be mixed."
        )
    check_inline(images, key.picture_limits, param="images")


def check_inline(images: Sequence[Image], limits: PictureLimits, *, param: str) -> None:
    """Refuse inline pictures that the service will not take, and ends of different shapes.

    Raises:
        UnsupportedParameterError: It names what is wrong and what is allowed.
    """
    for image in images:
        check_picture(image, limits, param=param)
    every = [read_picture_facts(image.content) for image in images if image.content is not None]
    shapes = [facts.width / facts.height for facts in every if facts.width and facts.height]
    if shapes and max(shapes) > min(shapes) * (1 + _SAME_SHAPE):
        raise UnsupportedParameterError(
            param, "The first and the last frame must have the same ratio of width to height."
        )
