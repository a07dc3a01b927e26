"""Where a finished video is, and what a server says of it."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from vidgate.models.outcomes import VideoResult
from vidgate.providers.openai_compatible.values import (
    layers,
    to_measure,
    to_seed,
    to_size,
    to_time,
)

__all__ = ["find_url", "to_result"]

_URLS = ("url", "video_url", "result_url", "output_url", "download_url")
_PLACES = ("output", "outputs", "result", "results", "video", "videos", "content", "metadata")
"""Where servers lay what was made; in this order, and then in what lies in it."""

_COVERS = ("cover_url", "thumbnail_url", "cover_image_url")
_DEEPEST = 3


def to_result(sent: httpx.Request, body: Mapping[str, Any]) -> VideoResult:
    """Read a finished job. Without a URL the video is at the job's content endpoint."""
    url = find_url(sent, body)
    own = _content_url(sent)
    is_protected = url is None or _is_content(sent, url)
    parts = list(_parts(body))
    size = next((size for part in parts if (size := to_size(part.get("size")))), (None, None))
    width, height = _measure(parts, "width"), _measure(parts, "height")
    if width is None or height is None:
        width, height = size
    covers = (part.get(name) for part in parts for name in _COVERS)
    seeds = (to_seed(part.get("seed")) for part in parts)
    ends = (to_time(part.get("expires_at")) for part in parts)
    return VideoResult(
        url=own if url is None or is_protected else url,
        protected=is_protected,
        cover_url=next((found for value in covers if (found := _to_url(sent, value))), None),
        expires_at=next((end for end in ends if end is not None), None),
        duration_seconds=_measure(parts, "duration") or _measure(parts, "seconds"),
        fps=_measure(parts, "fps"),
        width=None if width is None else int(width),
        height=None if height is None else int(height),
        seed=next((seed for seed in seeds if seed is not None), None),
    )


def find_url(sent: httpx.Request, body: Mapping[str, Any]) -> str | None:
    """The first URL of a video in an answer, made absolute; `None` if there is none."""
    for layer in layers(body):
        for value in _candidates(layer, 0):
            url = _to_url(sent, value)
            if url is not None:
                return url
    return None


def _candidates(value: Any, depth: int) -> Iterator[Any]:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _candidates(item, depth + 1)
    elif isinstance(value, Mapping):
        for name in _URLS:
            inner = value.get(name)
            # OpenAI writes some URLs as {"url": …}.
            yield inner.get("url") if isinstance(inner, Mapping) else inner
        for name in _PLACES:
            yield from _candidates(value.get(name), depth + 1)


def _parts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where facts of the video may stand: what was made before what was asked for."""
    for layer in layers(body):
        metadata = layer.get("metadata")
        if isinstance(metadata, Mapping):
            yield metadata
    for layer in layers(body):
        for name in ("video", "videos", "output", "outputs"):
            value = layer.get(name)
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, Mapping):
                yield value
    yield from layers(body)


def _measure(parts: list[Mapping[str, Any]], name: str) -> float | None:
    values = (to_measure(part.get(name)) for part in parts)
    return next((value for value in values if value is not None), None)


def _to_url(sent: httpx.Request, value: Any) -> str | None:
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return None
    if not value.startswith(("http://", "https://", "/")):
        return None
    try:
        url = urljoin(str(sent.url), value)
        return url if urlsplit(url).netloc else None
    except ValueError:
        return None


def _content_url(sent: httpx.Request) -> str:
    return f"{sent.url}/content"


def _is_content(sent: httpx.Request, url: str) -> bool:
    """Whether a URL is the server's own content endpoint, which wants the key.

    Behind a proxy a server may think that it is reached by plain http.
    """
    theirs = urlsplit(url)
    return (
        theirs.netloc == urlsplit(str(sent.url)).netloc
        and theirs.path.endswith("/content")
        and "/videos/" in theirs.path
        and not theirs.query
    )
