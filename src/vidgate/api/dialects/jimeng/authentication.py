"""Who signs as Volcengine's own SDKs do: with a token's access key and secret."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from pydantic import SecretStr
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from vidgate.api.dependencies import Services
from vidgate.api.idempotency import HEADER
from vidgate.exceptions import AuthenticationError
from vidgate.models.accounts import Caller
from vidgate.providers.jimeng.signing import (
    ALGORITHM,
    REGION,
    SERVICE,
    signature_of,
    write_canonical,
)

__all__ = ["WINDOW", "Signature", "authenticate", "signature_on", "with_signed_body"]

WINDOW = timedelta(minutes=15)
"""How far a signature's time may be from ours, in either direction.

Source: https://www.volcengine.com/docs/6369/67268, read 2026-11-20
"""

_FRESH = timedelta(seconds=2)
"""How far the time of a signature may be from ours for an equal request to be one of its own: SDKs
write whole seconds, so that two requests in one second are signed alike. Longer would let whoever
saw a request have it carried out again."""

_STATE = "jimeng_signature"
"""Where the check leaves what the route needs of a signature."""

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=(?P<access_key>[!-+\-.0-~]{{1,256}})/(?P<date>[0-9]{{8}})"
    r"/(?P<region>[a-z0-9-]{1,64})/(?P<service>[a-z0-9_-]{1,64})/request, *"
    r"SignedHeaders=(?P<names>[a-z0-9;-]{1,1024}), *Signature=(?P<signature>[0-9a-f]{64})"
)
_X_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SECONDS = re.compile(r"[0-9]{1,9}")

_IDEMPOTENCY_KEY = HEADER.lower()
"""If it were not signed, a replay could come with another one, and be made."""

_ALWAYS_SIGNED = "x-date"
"""The rest of the list is the client's choice: the vendor's node SDK signs its date and the digest,
its demonstration the date and the host. The body is signed by its digest whether or not the header
of it is, or is sent at all."""

_SIGNED_CALLS = frozenset({"/", "/jimeng"})
"""Where every POST reads its body by `with_signed_body`."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that holds, for a body with this digest.

    Attributes:
        digest: SHA-256 in hexadecimal digits.
        is_fresh: Whether it was made in this moment, as far as its time, in whole seconds, tells.
    """

    value: str
    digest: str
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says of its own signature.

    Attributes:
        digest: Of the body, empty where the request does not tell it.
        age: How long ago it was signed; negative, if it is from the future.
    """

    access_key: str
    names: tuple[str, ...]
    signature: str
    x_date: str
    digest: str
    headers: Mapping[str, str]
    age: timedelta


@dataclass(frozen=True, slots=True)
class _Unchecked:
    """A signature of a body that has not been read."""

    claim: _Claim
    secret: SecretStr


async def authenticate(scope: Scope, services: Services) -> Caller | None:
    """Find the caller of a signed request; `None` where it is not signed that way.

    Nothing of the body is read: `with_signed_body` holds it to its digest, which is a signed part
    of the request. Where the request does not tell the digest, it checks the signature as well.

    Raises:
        AuthenticationError: The signature does not hold; its code is the vendor's word for why.
    """
    claim = _read_claim(scope, services.clock.now())
    if claim is None:
        return None
    _check_time(claim, scope)
    key = await services.directory.access_key(claim.access_key)
    if key is None:
        raise _refusal(
            "InvalidAccessKey",
            "The access key is unknown or was revoked; use the pair that was made for your token.",
        )
    if claim.digest:
        scope["state"][_STATE] = _check(claim, scope, key.secret, claim.digest)
    else:
        scope["state"][_STATE] = _Unchecked(claim, key.secret)
    return key.caller


def signature_on(request: Request) -> Signature | None:
    """The signature that a request with its body was let in by, `None` where it has a token."""
    signature = request.scope["state"].get(_STATE)
    return signature if isinstance(signature, Signature) else None


def with_signed_body(request: Request) -> Request:
    """The same request, whose body ends in an error if it is not the one that was signed."""
    if _STATE not in request.scope["state"]:
        return request
    return Request(request.scope, _checking(request.scope, request.receive))


def _checking(scope: Scope, receive: Receive) -> Receive:
    hashing = hashlib.sha256()

    async def receive_and_hash() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            hashing.update(message.get("body", b""))
            if not message.get("more_body", False):
                _check_body(scope, hashing.hexdigest())
        return message

    return receive_and_hash


def _check_body(scope: Scope, digest: str) -> None:
    signature: Signature | _Unchecked = scope["state"][_STATE]
    if isinstance(signature, _Unchecked):
        scope["state"][_STATE] = _check(signature.claim, scope, signature.secret, digest)
    elif not hmac.compare_digest(digest, signature.digest):
        raise _mismatch("the body is not the one whose X-Content-Sha256 was signed")


def _check(claim: _Claim, scope: Scope, secret: SecretStr, digest: str) -> Signature:
    expected = signature_of(
        _canonical(claim, scope, digest), secret.get_secret_value(), claim.x_date
    )
    if not hmac.compare_digest(expected, claim.signature):
        others = "" if claim.digest else ", nor the body"
        raise _mismatch(
            "check the secret key, and that no proxy changes the signed headers, such as Host, "
            f"the path or the query{others}"
        )
    return Signature(claim.signature, digest, is_fresh=abs(claim.age) <= _FRESH)


def _read_claim(scope: Scope, now: datetime) -> _Claim | None:
    headers: dict[str, str] = {}
    twice: set[str] = set()
    for name, value in scope["headers"]:
        word = name.decode("latin-1").lower()
        if word in headers:
            twice.add(word)
        headers.setdefault(word, value.decode("latin-1"))
    authorization = headers.get("authorization", "").strip()
    if not authorization.startswith(ALGORITHM):
        return None
    found = _AUTHORIZATION.fullmatch(authorization)
    if found is None:
        raise _refusal(
            "InvalidAuthorization",
            f"Authorization must read {ALGORITHM} Credential=ACCESS_KEY/DATE/{REGION}/{SERVICE}"
            "/request, SignedHeaders=..., Signature=...",
        )
    if "x-security-token" in headers:
        raise _refusal(
            "InvalidSecretToken",
            "Temporary keys do not exist here; sign with a token's access key and secret, and "
            "without X-Security-Token.",
        )
    names = tuple(found["names"].split(";"))
    _check_names(names, headers, twice)
    x_date, digest = headers.get("x-date", "").strip(), headers.get("x-content-sha256", "").strip()
    if not x_date:
        raise _refusal("MissingRequestInfo", "A signed request needs X-Date, the UTC time.")
    if not digest and (scope["method"] != "POST" or scope["path"] not in _SIGNED_CALLS):
        raise _refusal(
            "MissingRequestInfo",
            "A signed request needs X-Content-Sha256, the SHA-256 of the body; only a POST to "
            "/jimeng/ or / may leave it out.",
        )
    if not _X_DATE.fullmatch(x_date) or (digest and not _DIGEST.fullmatch(digest)):
        raise _refusal(
            "InvalidAuthorization",
            "X-Date must read as 20261120T080000Z, and X-Content-Sha256 be 64 hexadecimal digits "
            "in lower case.",
        )
    if (found["date"], found["region"], found["service"]) != (x_date[:8], REGION, SERVICE):
        raise _mismatch(
            f"its scope must be the day of X-Date, the region {REGION} and the service {SERVICE}"
        )
    age = now - _parse_time(x_date)
    return _Claim(found["access_key"], names, found["signature"], x_date, digest, headers, age)


def _parse_time(x_date: str) -> datetime:
    try:
        return datetime.strptime(x_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _refusal("InvalidTimestamp", "X-Date is no date.") from None


def _check_names(names: tuple[str, ...], headers: Mapping[str, str], twice: set[str]) -> None:
    if list(names) != sorted(set(names)) or _ALWAYS_SIGNED not in names:
        raise _refusal(
            "InvalidAuthorization",
            "SignedHeaders must be sorted names in lower case, x-date among them.",
        )
    if _IDEMPOTENCY_KEY in headers and _IDEMPOTENCY_KEY not in names:
        raise _refusal(
            "InvalidAuthorization",
            f"{HEADER} of a signed request has to be one of its SignedHeaders.",
        )
    # Of two values only one can be the signed one, and nobody could say which.
    if not headers.keys() >= set(names) or twice & {*names, "x-date", "x-content-sha256"}:
        raise _mismatch("every header that is signed has to be sent, and once")


def _check_time(claim: _Claim, scope: Scope) -> None:
    asked = parse_qs(scope["query_string"].decode("latin-1")).get("X-Expires", [""])[0]
    seconds = int(asked) if _SECONDS.fullmatch(asked) else WINDOW.total_seconds()
    # Shorter as the client likes; longer than a replay is remembered it must not be.
    if abs(claim.age.total_seconds()) > min(seconds, WINDOW.total_seconds()):
        raise _refusal(
            "InvalidTimestamp",
            "The signature is too old, or from the future; set the clock and sign every request "
            "anew.",
        )


def _canonical(claim: _Claim, scope: Scope, digest: str) -> str:
    # The path as it came: a slash at its end is signed, though no route minds it.
    path = scope.get("raw_path") or scope["path"].encode()
    return write_canonical(
        method=scope["method"],
        path=path.partition(b"?")[0].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=claim.headers,
        names=claim.names,
        digest=digest,
    )


def _mismatch(reason: str) -> AuthenticationError:
    return _refusal("SignatureDoesNotMatch", f"The signature does not hold: {reason}.")


def _refusal(code: str, message: str) -> AuthenticationError:
    return AuthenticationError(message, code=code)
