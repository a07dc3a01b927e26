"""Bytes as text that stands in a URL: one text for each, and nothing else is taken for it."""

import base64
import binascii

__all__ = ["from_url_text", "to_url_text"]


def to_url_text(content: bytes) -> str:
    """Write bytes in the URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_url_text(text: str, size_bytes: int) -> bytes | None:
    """Read what `to_url_text` wrote of so many bytes; `None` for anything that it cannot have."""
    if len(text) != -(-size_bytes * 4 // 3) or not text.isascii():
        return None
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return content if to_url_text(content) == text else None
