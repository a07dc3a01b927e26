"""The pictures of a request, generic and in vendor fields."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.draft import Draft
from vidgate.providers.jimeng.fields import PICTURES
from vidgate.providers.jimeng.keys import INLINE_FIELD, KEYS, LIST_FIELD, URL_FIELD, ReqKey
from vidgate.providers.pictures import PictureLimits, check_picture, read_picture_facts
from vidgate.providers.pieces import decode_base64, encode_base64

__all__ = [
    "check_pictures",
    "check_vendor_pictures",
    "count_pictures",
    "has_vendor_pictures",
    "without_prefixes",
    "write_pictures",
]

_SAME_SHAPE = 0.02
"""How far the shapes of the first and the last frame may be apart, as a fraction.

The page wants the same ratio and names no tolerance; sizes are whole pixels.
"""

_DATA = "data:"


def has_vendor_pictures(request: VideoRequest, model: str) -> bool:
    """Whether `metadata` brings the pictures; the generic ones then give way to it."""
    return any(request.metadata.get(name) is not None for name in _fields(model))


def count_pictures(request: VideoRequest, model: str) -> int:
    """How many pictures a key or alias will be given."""
    if not has_vendor_pictures(request, model):
        return len(request.images)
    return _count(request.metadata.get(name) for name in _fields(model))


def _count(values: Iterable[Any]) -> int:
    return sum(len(one) if isinstance(one, list) else 1 for one in values if one is not None)


def _fields(model: str) -> tuple[str, ...]:
    key = KEYS.get(model)
    return key.picture_fields if key else (LIST_FIELD, INLINE_FIELD)


def write_pictures(draft: Draft, images: Sequence[Image], *, as_list: bool = True) -> None:
    """Write the generic pictures in the provider's words: raw base64, without a `data:` prefix."""
    urls = [image.url for image in images if image.url is not None]
    inline = [encode_base64(image.content) for image in images if image.content is not None]
    if not as_list and urls:
        draft.put("images", URL_FIELD, urls[0])
    elif urls:
        draft.put("images", LIST_FIELD, urls)
    if as_list and inline:
        draft.put("images", INLINE_FIELD, inline)


def without_prefixes(value: Any) -> Any:
    """Write inline pictures of the client's as the service takes them: bare base64.

    Raises:
        UnsupportedParameterError: One is a `data:` URI of something else than base64.
    """
    return list(map(_without_prefix, value)) if isinstance(value, list) else value


def _without_prefix(text: Any) -> Any:
    if not isinstance(text, str) or text[: len(_DATA)].lower() != _DATA:
        return text
    head, _, encoded = text.partition(",")
    if not head.lower().endswith(";base64"):
        raise _not_base64()
    return encoded


def _not_base64() -> UnsupportedParameterError:
    return UnsupportedParameterError(INLINE_FIELD, "A picture in it is not valid base64.")


def check_pictures(
    images: Sequence[Image], key: ReqKey, allowed: Sequence[int], *, param: str
) -> None:
    """Refuse generic pictures that a key does not take.

    Raises:
        UnsupportedParameterError: It names what is wrong and what is allowed.
    """
    if len(images) not in allowed:
        says = f"The number of pictures cannot be {len(images)} here ({key.name})."
        raise UnsupportedParameterError(param, says, allowed=allowed)
    inline = [image.content for image in images if image.content is not None]
    if inline and INLINE_FIELD not in key.picture_fields:
        raise UnsupportedParameterError(param, f"{key.name} takes its picture as a URL only.")
    if inline and len(inline) != len(images):
        raise UnsupportedParameterError(
            param, "Send all pictures as URLs, or all of them inline; they cannot be mixed."
        )
    _check_inline(images, key.picture_limits, param=param)


def check_vendor_pictures(body: Mapping[str, Any], key: ReqKey) -> None:
    """Refuse vendor fields with pictures that a key does not take.

    Raises:
        UnsupportedParameterError: It names the field, and what is allowed.
    """
    written = {name: body[name] for name in key.picture_fields if body.get(name)}
    for name, value in written.items():
        PICTURES[name].refuse(name, value, key.name)
    if len(written) > 1:
        raise UnsupportedParameterError(
            INLINE_FIELD, f"Send {LIST_FIELD} or {INLINE_FIELD}; both together are refused."
        )
    count = _count(written.values())
    if count not in key.picture_counts:
        raise UnsupportedParameterError(
            next(iter(written), key.picture_fields[0]),
            f"The number of pictures cannot be {count} here ({key.name}).",
            allowed=key.picture_counts,
        )
    try:
        inline = [Image(content=decode_base64(text)) for text in written.get(INLINE_FIELD, ())]
    except ValueError:
        raise _not_base64() from None
    _check_inline(inline, key.picture_limits, param=INLINE_FIELD)


def _check_inline(images: Sequence[Image], limits: PictureLimits, *, param: str) -> None:
    """Refuse inline pictures that the service will not take, and ends of different shapes."""
    for image in images:
        check_picture(image, limits, param=param)
    every = [read_picture_facts(image.content) for image in images if image.content is not None]
    shapes = [facts.width / facts.height for facts in every if facts.width and facts.height]
    if shapes and max(shapes) > min(shapes) * (1 + _SAME_SHAPE):
        raise UnsupportedParameterError(
            param, "The first and the last frame must have the same ratio of width to height."
        )
