"""Who is asking: settled before routing and before a byte of a body is read."""

import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from vidgate.api.dependencies import services_of
from vidgate.exceptions import AuthenticationError

__all__ = ["AuthenticationLayer", "read_key"]

_PROTECTED = ("/v1", "/kling", "/jimeng", "/vidu")
"""Everything under these needs a token, reads and unknown routes included."""

_AUTHORIZATION = re.compile(
    r"\s*+(?:(?:bearer|token)(?:\s*+:\s*+|\s++|(?=sk-)))?+(?:sk-)?+(?P<key>[!-~]{16,256})\s*+",
    re.IGNORECASE,
)
"""The documentation's `Bearer sk-…` and what its readers and other gateways' clients make of it.
The length only keeps out what nobody was ever given."""


def read_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Find the token's key, with its `sk-`, in a request's headers; `None` if there is none."""
    for name, value in headers:
        if name == b"authorization":
            match = _AUTHORIZATION.fullmatch(value.decode("latin-1"))
            return f"sk-{match['key']}" if match else None
    return None


class AuthenticationLayer:
    """Lets only known tokens through, and remembers whose they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its caller.

        Raises:
            AuthenticationError: It has no valid token.
            DatabaseUnavailableError: The token could not be looked up.
        """
        if _is_protected(scope["path"]):
            key = read_key(scope["headers"])
            if key is None:
                raise AuthenticationError(
                    "A token is needed; send the header `Authorization: Bearer sk-...` with yours."
                )
            directory = services_of(scope).directory
            caller = directory.known(key) or await directory.authenticate(key)
            if caller is None:
                raise AuthenticationError(
                    "This token is unknown or was revoked; send the header "
                    "`Authorization: Bearer sk-...` with a valid one."
                )
            scope["state"]["caller"] = caller
        await self._app(scope, receive, send)


def _is_protected(path: str) -> bool:
    return path.startswith(_PROTECTED) and any(
        path == prefix or path.startswith(f"{prefix}/") for prefix in _PROTECTED
    )
