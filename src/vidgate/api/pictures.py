"""Pictures as clients send them: a URL, a `data:` URI, bare base64 or a file."""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from vidgate.exceptions import BodyTooLargeError, InvalidParameterError
from vidgate.models.requests import Image
from vidgate.providers.pieces import decode_base64

__all__ = ["check_inline_sizes", "holds_picture", "looks_like_picture", "read_picture"]

_MAX_PICTURE_BYTES = 20 * 1024 * 1024
_MAX_URL_CHARACTERS = 8192

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
_DATA_URI = re.compile(r"\s*data:(?P<type>[^;,]*)(?P<parameters>(?:;[^;,]*)*),", re.IGNORECASE)
_UNSAID_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""What programs write that do not know what they send: the bytes tell."""

_UNFIT_FOR_URL = re.compile(r"[\x00-\x20\x7f\\]")

_BASE64_START = re.compile(r"[A-Za-z0-9+/=_-]{200}")
"""From this length on a word of nothing but base64 is taken for a picture, not for a word."""

_LOCATION = re.compile(r"(?:https?://|data:image/)", re.IGNORECASE)


def read_picture(value: str | bytes, name: str) -> Image:
    """Read one picture. A URL is checked for its form and not fetched.

    Args:
        value: Text, or the bytes of a file.
        name: Of the field it came in.

    Raises:
        InvalidParameterError: It is not a picture we can pass on.
        BodyTooLargeError: Decoded it has more than 20 MB.
    """
    if isinstance(value, bytes):
        return _from_bytes(value, name)
    scheme = _SCHEME.match(value[:100])
    if scheme is None:
        return _from_bytes(_decode(value, name), name)
    match scheme[1].lower():
        case "http" | "https":
            return Image(url=_check_url(value.strip(), name))
        case "data":
            return _from_bytes(_decode(_data_of(value, name), name), name)
        case _:
            raise InvalidParameterError(
                f"{name} must be an http or https URL, a data: URI or base64.", param=name
            )


def looks_like_picture(content: bytes | bytearray) -> bool:
    """Whether bytes begin as a picture does that we can pass on."""
    return _media_type(content) is not None


def holds_picture(metadata: Mapping[str, Any], owns: Collection[str]) -> bool:
    """Whether vendor fields bring a picture of their own, by whatever name.

    Args:
        metadata: The fields.
        owns: Names of those whose text is the client's own business.
    """
    return any(_is_picture(value) for name, value in metadata.items() if name not in owns)


def check_inline_sizes(metadata: Mapping[str, Any], *, within: str = "metadata.") -> None:
    """Hold inline media among the vendor fields to the limit of all others.

    Args:
        metadata: The fields.
        within: What stands before their names in an error.

    Raises:
        BodyTooLargeError: One is over it.
    """
    for name, value in metadata.items():
        if _longest(value) > _MAX_PICTURE_BYTES * 4 // 3 + _MAX_URL_CHARACTERS:
            raise _too_large(f"{within}{name[:100]}")


def _is_picture(value: object) -> bool:
    match value:
        case str():
            return bool(_LOCATION.match(value) or _BASE64_START.match(value))
        case list():
            return any(_is_picture(member) for member in value)
        case dict():
            return any(_is_picture(member) for member in value.values())
        case _:
            return False


def _longest(value: object) -> int:
    match value:
        case str():
            return len(value)
        case list():
            return max(map(_longest, value), default=0)
        case dict():
            return max(map(_longest, value.values()), default=0)
        case _:
            return 0


def _check_url(url: str, name: str) -> str:
    if len(url) > _MAX_URL_CHARACTERS:
        raise InvalidParameterError(
            f"The URL in {name} may have at most {_MAX_URL_CHARACTERS} characters.", param=name
        )
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise InvalidParameterError(f"{name} is not a valid URL.", param=name) from None
    if not is_whole or _UNFIT_FOR_URL.search(url):
        raise InvalidParameterError(f"{name} is not a valid URL.", param=name)
    if "@" in parts.netloc:
        raise InvalidParameterError(
            f"The URL in {name} must not have a user name or password.", param=name
        )
    return url


def _data_of(uri: str, name: str) -> str:
    """The base64 of a `data:` URI."""
    head = _DATA_URI.match(uri[:1000])
    if head is None:
        raise InvalidParameterError(f"{name} is not a valid data: URI.", param=name)
    media_type = head["type"].strip().lower()
    if not (media_type.startswith("image/") or media_type in _UNSAID_TYPES):
        raise InvalidParameterError(
            f"The data: URI in {name} must be of an image, such as image/png.", param=name
        )
    if not head["parameters"].lower().endswith(";base64"):
        raise InvalidParameterError(f"The data: URI in {name} must be in base64.", param=name)
    return uri[head.end() :]


def _decode(text: str, name: str) -> bytes:
    """Decode base64 of either alphabet, with or without padding and line breaks."""
    if len(text) * 3 // 4 > _MAX_PICTURE_BYTES + _MAX_PICTURE_BYTES // 10:
        raise _too_large(name)
    try:
        decoded = decode_base64(text, is_lenient=True)
    except ValueError:
        raise _not_base64(name) from None
    if not decoded:
        raise _not_base64(name)
    return decoded


def _from_bytes(content: bytes, name: str) -> Image:
    if len(content) > _MAX_PICTURE_BYTES:
        raise _too_large(name)
    media_type = _media_type(content)
    if media_type is None:
        raise InvalidParameterError(f"{name} must be a PNG, JPEG, WebP or GIF picture.", param=name)
    return Image(content=content, media_type=media_type)


def _media_type(content: bytes | bytearray) -> str | None:
    """Tell what a picture is by its first bytes."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def _not_base64(name: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"{name} is neither a URL nor valid base64 of a picture.", param=name
    )


def _too_large(name: str) -> BodyTooLargeError:
    return BodyTooLargeError(f"The picture in {name} may have at most 20 MB.", param=name)
