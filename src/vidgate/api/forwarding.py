"""What proxies say of the request that they pass on."""

from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from vidgate.config import Network

__all__ = ["ForwardedLayer"]


class ForwardedLayer:
    """Believes trusted proxies: who called, by which scheme, and by which name.

    `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` become the request's own client,
    scheme and `Host`. Others may send them in vain.
    """

    def __init__(self, app: ASGIApp, *, proxies: tuple[Network, ...]) -> None:
        believing = ProxyHeadersMiddleware(
            cast("Any", app), trusted_hosts=[str(network) for network in proxies]
        )
        self._trusted = believing.trusted_hosts
        self._app = cast("ASGIApp", believing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as it was before the proxies."""
        client = scope.get("client")
        if client is not None and client[0] in self._trusted:
            _believe_host(scope)
        await self._app(scope, receive, send)


def _believe_host(scope: Scope) -> None:
    told = [value for name, value in scope["headers"] if name == b"x-forwarded-host"]
    # Each proxy adds what it was called by; the first is what the client called.
    host = told[0].partition(b",")[0].strip() if told else b""
    if host:
        others = [header for header in scope["headers"] if header[0] != b"host"]
        scope["headers"] = [(b"host", host), *others]
