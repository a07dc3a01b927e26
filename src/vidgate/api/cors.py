"""Which web pages may call."""

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

__all__ = ["CorsLayer"]

_EXPOSED_HEADERS = (
    "X-Request-Id",
    "X-Vidgate-Ignored",
    "X-Vidgate-Adjusted",
    "X-Vidgate-Unknown",
    "X-Vidgate-Price",
    "Retry-After",
    "RateLimit-Policy",
    "RateLimit",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "openai-poll-after-ms",
    "Preference-Applied",
    "x-should-retry",
    "Idempotent-Replayed",
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
)
"""What a script in a browser may read of an answer."""


class CorsLayer(CORSMiddleware):
    """Answers preflights and says which origins may read, without credentials.

    Args:
        app: Everything else.
        origins: Such as `https://example.com`, or `*` for any.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("*",),
            allow_headers=("*",),
            expose_headers=_EXPOSED_HEADERS,
        )

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Where any origin may read, an answer does not depend on there being one.
        if self.allow_all_origins and all(name != b"origin" for name, _ in scope["headers"]):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
