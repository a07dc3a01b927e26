"""Every adapter as its tests ask it: what it sends, and what it makes of an answer."""

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from vidgate.models.requests import Image
from vidgate.providers.registry import build_providers
from vidgate.testing.situations import Reply, read_reply

__all__ = ["ADAPTERS", "DATA", "NOW", "answer", "png", "recorded"]

DATA: Final = Path(__file__).parents[1] / "data"
NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADAPTERS: Final = build_providers(map_retired_models=True)


def recorded(provider: str, name: str) -> httpx.Response:
    """A reply of `tests/data/<provider>/`, which says where it is from."""
    reply = read_reply(DATA / provider, name)
    assert reply.source
    return reply.response()


def answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    """An answer of JSON, or of text as it is; a header's `_` is a `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    is_text = isinstance(body, str)
    return Reply(None if is_text else body, status, body if is_text else None, named).response()


def png(width: int, height: int) -> Image:
    """As much of a picture as its size is read from."""
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return Image(content=content, media_type="image/png")
