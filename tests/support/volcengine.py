"""A signer of the tests' own, written from Volcengine's documentation."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl, quote

__all__ = ["sign"]


def sign(
    body: bytes,
    at: datetime,
    *,
    access_key: str,
    secret: str,
    host: str = "gateway.test",
    path: str = "/",
    query: str,
    method: str = "POST",
    names: Sequence[str] = ("content-type", "host", "x-content-sha256", "x-date"),
    more: Mapping[str, str] | None = None,
    scope: str = "cn-north-1/cv/request",
) -> dict[str, str]:
    """The headers of a signed request."""
    x_date = at.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "content-type": "application/json",
        "host": host,
        "x-content-sha256": digest,
        "x-date": x_date,
        **(more or {}),
    }
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    written = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in pairs)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    canonical = f"{method}\n{path}\n{written}\n{lines}\n{';'.join(names)}\n{digest}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = secret.encode()
    for part in (x_date[:8], *scope.split("/")):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"HMAC-SHA256\n{x_date}\n{x_date[:8]}/{scope}\n{hashed}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"HMAC-SHA256 Credential={access_key}/{x_date[:8]}/{scope},"
        f" SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return headers
