"""The fields that bring pictures, in every format that a client may write them in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vidgate.api.fields import FieldReader
from vidgate.api.pictures import read_picture
from vidgate.api.plain_values import read_object, read_plain
from vidgate.exceptions import InvalidParameterError
from vidgate.models.requests import Image

__all__ = ["read_pictures", "take_frames"]

_FIELDS = ("image", "images", "input_reference")
"""In the order in which their pictures count."""

_FIRST_FRAMES = ("first_frame",)
_LAST_FRAMES = ("last_frame", "end_image", "tail_image_url")
"""What clients call the picture that the video begins or ends with, beside other fields or in
`metadata`."""

_MEMBERS = ("image_url", "url")
"""Where an object has its picture: as OpenAI's SDK has it, and as chats do."""

_ENDS = 2
"""Pictures where one is the first frame and the other the last."""

_MAX_LEVELS = 4
"""An array of objects with `image_url`, that again an object with `url`: nothing is deeper."""


def read_pictures(fields: FieldReader) -> tuple[tuple[Image, ...], str]:
    """Read `image`, then `images`, then `input_reference`.

    Each takes one picture or an array, a picture being text, a file or an object that names it.
    Clients that know several of the fields repeat the first picture in each; otherwise a picture
    that is there twice is meant twice, as for a loop that ends where it began.

    Returns:
        The pictures, and the field that brought the first one; empty if there is none.

    Raises:
        InvalidParameterError: One is not a picture we can pass on; it names the field.
        BodyTooLargeError: Decoded it has more than 20 MB.
    """
    given: list[tuple[str | bytes, str]] = []
    for name in _FIELDS:
        brought = list(_pictures_in(fields.raw(name), name, _MAX_LEVELS, may_be_several=True))
        if given and brought and brought[0] == given[0][0]:
            del brought[0]
        given += [(picture, name) for picture in brought]
    pictures = tuple(read_picture(value, name) for value, name in given)
    return pictures, given[0][1] if given else ""


def take_frames(
    metadata: dict[str, Any], images: tuple[Image, ...]
) -> tuple[tuple[Image, ...], str]:
    """Take the first and the last frame out of the vendor fields.

    Args:
        metadata: The vendor fields; changed.
        images: The other pictures.

    Returns:
        The pictures in their order, and the field of the last one, empty if there is none.

    Raises:
        InvalidParameterError: One is not a picture, there is no first frame or more than that, or
            two fields differ.
        BodyTooLargeError: Decoded one has more than 20 MB.
    """
    first, name = _take_frame(metadata, _FIRST_FRAMES)
    if first is not None and images and images[0] != first:
        raise InvalidParameterError(
            f"{name} is not the first of the other pictures; send it as one of them.", param=name
        )
    images = images or (() if first is None else (first,))
    last, name = _take_frame(metadata, _LAST_FRAMES)
    if last is None:
        return images, ""
    if not images:
        raise InvalidParameterError(f"{name} needs a first frame: send it as image.", param=name)
    if len(images) == _ENDS and images[1] == last:
        return images, name
    if len(images) > 1:
        raise InvalidParameterError(
            f"{name} goes with one first frame, not with {len(images)} pictures.", param=name
        )
    return (*images, last), name


def _take_frame(metadata: dict[str, Any], names: Sequence[str]) -> tuple[Image | None, str]:
    """Take the one picture that these names stand for out of the vendor fields, with its name."""
    given: list[tuple[str | bytes, str]] = []
    for name in names:
        pictures = list(_pictures_in(metadata.pop(name, None), name, _MAX_LEVELS))
        if given and pictures and pictures[0] != given[0][0]:
            raise InvalidParameterError(
                f"{given[0][1]} and {name} mean the same and differ; send one of them.", param=name
            )
        given += [(picture, name) for picture in pictures]
    if not given:
        return None, ""
    value, name = given[0]
    return read_picture(value, name), name


def _pictures_in(
    value: Any, name: str, levels: int, *, may_be_several: bool = False
) -> Iterator[str | bytes]:
    """Every picture of a field, without empty values."""
    if isinstance(value, str):
        value, written = _from_json_text(value, name), value
        may_be_several = may_be_several or value is not written
    if value is None or value == "":
        return
    if isinstance(value, str | bytes):
        yield value
    elif isinstance(value, list) and levels and may_be_several:
        for one in value:
            yield from _pictures_in(one, name, levels - 1)
    elif isinstance(value, Mapping) and levels:
        yield from _pictures_in(_named_in(value, name), name, levels - 1)
    else:
        raise InvalidParameterError(
            f"{name} must be text: a URL, a data: URI or base64.", param=name
        )


def _from_json_text(text: str, name: str) -> Any:
    """What JSON text holds; neither a URL nor base64 begins as it does."""
    match text.lstrip()[:1]:
        case "{":
            return read_object(name, text)
        case "[":
            return read_plain(name, text)
        case _:
            return text


def _named_in(value: Mapping[str, Any], name: str) -> Any:
    """What an object names as its picture."""
    for member in _MEMBERS:
        if value.get(member) is not None:
            return value[member]
    if value.get("file_id") is not None:
        raise InvalidParameterError(
            "There are no uploaded files here: send the picture itself, or image_url in place of "
            "file_id.",
            param=f"{name}.file_id",
        )
    raise InvalidParameterError(
        f"{name} must be a picture, or an object with image_url.", param=name
    )
