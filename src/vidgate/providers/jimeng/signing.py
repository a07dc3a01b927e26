"""Volcengine's request signature, HMAC-SHA256."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote

import httpx

from vidgate.exceptions import ConfigurationError

__all__ = [
    "ALGORITHM",
    "REGION",
    "SERVICE",
    "Credential",
    "canonical_request",
    "parse_credential",
    "sign",
    "signature_of",
    "signing_keys",
    "write_canonical",
]

REGION = "cn-north-1"
SERVICE = "cv"
ALGORITHM = "HMAC-SHA256"

_CREDENTIAL = re.compile(r"[!-{}~]+\|[!-{}~]+(\|[!-{}~]+)?")
"""Two or three parts of visible ASCII without the separator."""


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key pair; `session_token` is empty but for temporary ones (STS)."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def parse_credential(text: str) -> Credential:
    """Read `ACCESS|SECRET` or `ACCESS|SECRET|SESSIONTOKEN`.

    Raises:
        ConfigurationError: It has another form; what was given is not shown.
    """
    if not _CREDENTIAL.fullmatch(text):
        raise ConfigurationError(
            "A Jimeng credential is written ACCESS|SECRET, or ACCESS|SECRET|SESSIONTOKEN for"
            " temporary keys, in visible ASCII characters without spaces."
        )
    return Credential(*text.split("|"))


def sign(
    url: httpx.URL, headers: dict[str, str], body: bytes, key: Credential, now: datetime
) -> None:
    """Add what a POST needs to be believed.

    The headers given are signed as they stand, so they are to be sent as they stand.

    Args:
        url: The whole URL, exactly as it will be requested.
        headers: `content-type` by its lower-case name; the signature's headers are added.
        body: The exact bytes that will be sent.
        key: Whose signature it is.
        now: The service takes up to 15 minutes of difference.
    """
    x_date = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers["x-date"] = x_date
    headers["x-content-sha256"] = hashlib.sha256(body).hexdigest()
    if key.session_token:
        headers["x-security-token"] = key.session_token
    canonical, signed_names = canonical_request(url, headers)
    signature = signature_of(canonical, key.secret_key, x_date)
    headers["authorization"] = (
        f"{ALGORITHM} Credential={key.access_key}/{_scope(x_date)},"
        f" SignedHeaders={signed_names}, Signature={signature}"
    )


def signature_of(canonical: str, secret_key: str, x_date: str) -> str:
    """Sign what `write_canonical` wrote.

    Args:
        canonical: The whole of it.
        secret_key: As the console shows it.
        x_date: As `20261120T080000Z`.
    """
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{x_date}\n{_scope(x_date)}\n{digest}"
    return _hmac(signing_keys(secret_key, x_date[:8])[-1], to_sign).hex()


def _scope(x_date: str) -> str:
    return f"{x_date[:8]}/{REGION}/{SERVICE}/request"


def signing_keys(secret_key: str, date: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Derive the chain of keys; the last one signs.

    Args:
        secret_key: As the console shows it: it looks like base64 and is not decoded.
        date: As `20261120`.
    """
    by_date = _hmac(secret_key.encode(), date)
    by_region = _hmac(by_date, REGION)
    by_service = _hmac(by_region, SERVICE)
    return by_date, by_region, by_service, _hmac(by_service, "request")


def canonical_request(url: httpx.URL, headers: dict[str, str]) -> tuple[str, str]:
    """Write what is signed of a POST, and the names of the headers in it."""
    signed = {**headers, "host": url.netloc.decode("ascii")}
    names = sorted(signed)
    canonical = write_canonical(
        method="POST",
        path=url.raw_path.partition(b"?")[0].decode("ascii"),
        query=url.query.decode("ascii"),
        headers=signed,
        names=names,
        digest=headers["x-content-sha256"],
    )
    return canonical, ";".join(names)


def write_canonical(
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    names: Sequence[str],
    digest: str,
) -> str:
    """Write what is signed of a request.

    Args:
        method: In capitals.
        path: As it is requested.
        query: Likewise, without its question mark.
        headers: By names in lower case.
        names: Of those that are signed, sorted.
        digest: SHA-256 of the body, in hexadecimal digits.
    """
    lines = "".join(f"{name}:{_signed_value(name, headers[name])}\n" for name in names)
    return "\n".join((method, path, _canonical_query(query), lines, ";".join(names), digest))


def _signed_value(name: str, value: str) -> str:
    # Default ports are left out of the signature even where they are written in the header.
    return re.sub(r":(80|443)$", "", value.strip()) if name == "host" else value.strip()


def _canonical_query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&") if part)
    encoded = sorted((_encode(key), _encode(value)) for key, _, value in pairs)
    return "&".join(f"{key}={value}" for key, value in encoded)


def _encode(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
