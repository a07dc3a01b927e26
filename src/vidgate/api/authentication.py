"""Who is asking: settled before routing and before a byte of a body is read."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from vidgate.api.dependencies import Services, services_of
from vidgate.api.later import of_before
from vidgate.api.limits import count_read
from vidgate.exceptions import AuthenticationError
from vidgate.models.accounts import Caller
from vidgate.models.limits import Admission
from vidgate.services.channels.permissions import check_address

__all__ = ["AuthenticationLayer", "Scheme", "read_key"]

Scheme: TypeAlias = Callable[[Scope, Services], Awaitable[Caller | None]]
"""A vendor's own way to sign: finds the caller, `None` where a request is not signed that way at
all, and raises `AuthenticationError` where it is and the signature does not hold."""

_AUTHORIZATION = re.compile(
    r"\s*+(?:(?:bearer|token)(?:\s*+:\s*+|\s++|(?=sk-)))?+(?:sk-)?+(?P<key>[!-~]{16,256})\s*+",
    re.IGNORECASE,
)
"""The documentation's `Bearer sk-…` and what its readers and other gateways' clients make of it.
The length only keeps out what nobody was ever given."""


_NOTHING = re.compile(r"\s*+(?:bearer|token)?\s*+:?\s*+", re.IGNORECASE)
"""A header in which nobody put anything yet."""


def read_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Find the token's key, with its `sk-`, in a request's headers, or `None`."""
    for name, value in headers:
        if name == b"authorization":
            match = _AUTHORIZATION.fullmatch(value.decode("latin-1"))
            return f"sk-{match['key']}" if match else None
    return None


class AuthenticationLayer:
    """Lets only known tokens through, and remembers whose they are.

    Args:
        prefixes: Path prefixes under which everything needs a token.
        schemes: By path prefix, `/` for the root alone; tried before the `sk-` key.
        root_claims: A request to the root needs a token where one of them says so.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        prefixes: tuple[str, ...],
        schemes: Mapping[str, Scheme],
        root_claims: tuple[Callable[[Scope], bool], ...],
    ) -> None:
        self._app = app
        self._prefixes = prefixes
        self._schemes = schemes
        self._root_claims = root_claims

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its caller.

        Raises:
            AuthenticationError: It has no valid token.
            PermissionDeniedError: The token may not be used from where it comes.
            RateLimitError: It is a read, and there were too many.
            DatabaseUnavailableError: The token could not be looked up.
        """
        # Who waits was let in when it came; a signature may have ended meanwhile.
        if of_before(scope) is None and self._is_protected(scope):
            await self._let_in(scope)
        await self._app(scope, receive, send)

    async def _let_in(self, scope: Scope) -> None:
        caller = await self._authenticate(scope)
        if caller.token.addresses:
            check_address(caller, (scope.get("client") or (None,))[0])
        services = services_of(scope)
        services.token_uses.note(caller.token.id)
        known = services.limits
        limits = known.known(caller) if known.is_fresh else await known.of(caller)
        if limits is not None:
            admission = Admission(limits.limits)
            caller = replace(caller, admission=admission)
            scope["state"]["limits"] = limits, admission
            if scope["method"] == "GET":
                count_read(scope)
        scope["state"]["caller"] = caller

    async def _authenticate(self, scope: Scope) -> Caller:
        services = services_of(scope)
        for prefix, scheme in self._schemes.items():
            if _is_under(scope["path"], prefix):
                caller = await scheme(scope, services)
                if caller is not None:
                    return caller
        key = read_key(scope["headers"])
        if key is None:
            raise _without_token(scope["headers"])
        caller = services.directory.known(key) or await services.directory.authenticate(key)
        if caller is None:
            raise AuthenticationError(
                "This token is unknown or was revoked; send the header "
                "`Authorization: Bearer sk-...` with a valid one."
            )
        return caller

    def _is_protected(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path == "/":
            return any(claims(scope) for claims in self._root_claims)
        return path.startswith(self._prefixes) and any(
            _is_under(path, prefix) for prefix in self._prefixes
        )


def _without_token(headers: Iterable[tuple[bytes, bytes]]) -> AuthenticationError:
    sent = next((value for name, value in headers if name == b"authorization"), b"")
    if _NOTHING.fullmatch(sent.decode("latin-1")):
        return AuthenticationError(
            "A token is needed; send the header `Authorization: Bearer sk-...` with yours."
        )
    return AuthenticationError(
        "What was sent is not a token, which has at least 43 characters behind `sk-`; send the "
        "header `Authorization: Bearer sk-...` with yours."
    )


def _is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
