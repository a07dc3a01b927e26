"""Who signs as Kling's own clients do: a token of theirs, made with an access key's secret.

Source: https://kling.ai/document-api/api/get-started/authentication, read 2026-09-20.
"""

import re

import jwt
from starlette.types import Scope

from vidgate.api.dependencies import Services
from vidgate.exceptions import AuthenticationError
from vidgate.models.accounts import Caller

__all__ = ["authenticate"]

_ALGORITHM = "HS256"
_LEEWAY_SECONDS = 60
"""How far the client's clock may be off; the vendor's example signs five seconds into the past."""

_BEARER = re.compile(
    r"\s*+(?:bearer(?:\s*+:\s*+|\s++))?+(?P<token>[!-~]{1,4096})\s*+", re.IGNORECASE
)
_DOTS = 2
"""A signed token has two dots; ours have none."""

_ACCESS_KEY = re.compile(r"[!-~]{1,200}")
"""What may be looked up before anything is believed."""

_UNWARNED_BYTES = 32
"""PyJWT warns of shorter secrets. HMAC itself fills them up with zeros, so that doing it here
changes no signature."""


async def authenticate(scope: Scope, services: Services) -> Caller | None:
    """Find the caller of a signed request; `None` where it is not signed that way.

    Raises:
        AuthenticationError: Nothing was sent, or the signature does not hold.
        DatabaseUnavailableError: The access key could not be looked up.
    """
    sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    if not sent.strip():
        raise AuthenticationError(
            "A token is needed; send the header `Authorization: Bearer sk-...` with yours, or a "
            "JWT signed with an access key's secret.",
            code="missing_api_key",
        )
    match = _BEARER.fullmatch(sent.decode("latin-1"))
    token = match["token"] if match else ""
    access_key = _issuer(token)
    if access_key is None:
        return None
    known = await services.directory.access_key(access_key)
    if known is None:
        raise AuthenticationError(
            "The access key in `iss` is unknown or was revoked; sign with a valid one."
        )
    _check(token, known.secret.get_secret_value())
    return known.caller


def _issuer(token: str) -> str | None:
    """Whose token it says it is; `None` where it is no signed token at all."""
    if token.count(".") != _DOTS:
        return None
    try:
        # Nothing is believed yet: it only tells by which secret to check it.
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not _ACCESS_KEY.fullmatch(issuer):
        raise AuthenticationError("The JWT must name the access key in `iss`.")
    return issuer


def _check(token: str, secret: str) -> None:
    try:
        jwt.decode(
            token,
            secret.encode().ljust(_UNWARNED_BYTES, b"\0"),
            algorithms=[_ALGORITHM],
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iss"], "verify_aud": False, "verify_iat": False},
        )
    except jwt.ExpiredSignatureError:
        raise AuthenticationError(
            "The JWT has expired; sign a new one.", code="token_expired"
        ) from None
    except jwt.ImmatureSignatureError:
        raise AuthenticationError(
            "The JWT is not valid yet; check the clock that `nbf` was made with.",
            code="token_not_yet_valid",
        ) from None
    except jwt.PyJWTError:
        raise AuthenticationError(
            "The JWT is not signed with the secret of its access key, or has no `exp`; sign it "
            "with HS256."
        ) from None
