"""Links of ours: they begin with the address by which the client calls, or the public one."""

import re
from functools import lru_cache
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from vidgate.api.dependencies import services_of
from vidgate.config import Settings
from vidgate.services.views.content_links import BASE

__all__ = ["LinkedAnswer", "base_of", "fill_links", "own_base", "write_urls"]

_BASE: Final = BASE.encode()
_HOST: Final = re.compile(
    rb"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
"""A header may have anything; what goes into a link, and so into JSON, may not."""

_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - for reading only


class LinkedAnswer(Response):
    """JSON that may have links of ours in it."""

    media_type = "application/json"

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.body = fill_links(bytes(self.body), base_of(scope))
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def fill_links(body: bytes, base: bytes) -> bytes:
    """Let the links in what was written begin with a base."""
    return body.replace(_BASE, base)


def base_of(scope: Scope) -> bytes:
    """What links begin with: the public address, else what the client called, else our own."""
    settings = services_of(scope).settings
    if settings.public_url is not None:
        return settings.public_url.encode()
    for name, value in scope["headers"]:
        if name == b"host":
            called = _called(scope["scheme"], value)
            if called is not None:
                return called
    return own_base(settings)


def own_base(settings: Settings) -> bytes:
    """What links begin with where no client called: the public address, else our own."""
    if settings.public_url is not None:
        return settings.public_url.encode()
    host = _WILDCARDS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}".encode()


@lru_cache(maxsize=1024)
def _called(scheme: str, host: bytes) -> bytes | None:
    return b"%s://%s" % (scheme.encode(), host.lower()) if _HOST.fullmatch(host) else None


def write_urls(public_id: str, get: str) -> dict[str, Any]:
    """Write where a client goes on with a task.

    Args:
        public_id: The task's.
        get: The path of the tasks in the client's dialect.
    """
    return {
        "get": f"{BASE}{get}/{public_id}",
        "cancel": f"{BASE}/v1/video/generations/{public_id}/cancel",
        "events": f"{BASE}/v1/video/generations/{public_id}/events",
        "content": f"{BASE}/v1/videos/{public_id}/content",
    }
