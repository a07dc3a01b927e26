"""Jimeng: Volcengine's request signature, checked from the outside.

Rules enforced here, in this order: no `Authorization` 400/100025; no `X-Date` 400/100004; malformed
400/100024; another region or service 401/100010; unknown access key 401/100009; unknown STS token
401/100026; a clock more than 900 s off (or `X-Expires`) 400/100006; anything else 401/100010. The
client's own `SignedHeaders` are used; `host` and `x-date` must be among them. The path is signed as
requested; a `:80` or `:443` is dropped from the host; `X-Content-Sha256`, if sent, must match the
body.
"""

import hashlib
import hmac
import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote

from vidgate.sandbox.jimeng_options import JimengOptions
from vidgate.sandbox.wire import Call, split_query

__all__ = ["GATEWAY_ERRORS", "GatewayError", "canonical_request", "verify"]

REGION = "cn-north-1"
SERVICE = "cv"

_WINDOW_SECONDS = 900

GATEWAY_ERRORS: Mapping[str, tuple[int, int]] = {
    "MissingParameter": (400, 100002),
    "MissingRequestInfo": (400, 100004),
    "InvalidTimestamp": (400, 100006),
    "InvalidAuthorization": (400, 100024),
    "InvalidCredential": (400, 100025),
    "InvalidAccessKey": (401, 100009),
    "SignatureDoesNotMatch": (401, 100010),
    "InvalidSecretToken": (401, 100026),
    "InvalidActionOrVersion": (404, 100008),
    "FlowLimitExceeded": (429, 100018),
    "InternalError": (500, 100014),
    "ServiceUnavailableTemp": (503, 100019),
    "InternalServiceTimeout": (504, 100016),
}
"""HTTP status and `CodeN` of each gateway code."""

_AUTHORIZATION = re.compile(
    r"HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/request,\s*"
    r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})"
)
_DATE = re.compile(r"\d{8}T\d{6}Z")


class GatewayError(Exception):
    """A call that the gateway in front of the service refuses."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        self.status, self.number = GATEWAY_ERRORS[code]
        super().__init__(message or code)


@dataclass(frozen=True, slots=True)
class _Claim:
    access_key: str
    date: str
    scope: str
    signed: tuple[str, ...]
    signature: str


def verify(call: Call, options: JimengOptions) -> str:
    """The access key that signed the call.

    Raises:
        GatewayError: The call is not signed, or not well.
    """
    stamp = call.headers.get("x-date", "")
    claim = _claim(call, stamp)
    secret = options.keys.get(claim.access_key)
    if secret is None:
        raise GatewayError("InvalidAccessKey")
    token = call.headers.get("x-security-token")
    if token is not None and options.session_tokens.get(token) != claim.access_key:
        raise GatewayError("InvalidSecretToken")
    _check_time(call, stamp)
    body_hash = hashlib.sha256(call.body).hexdigest()
    if call.headers.get("x-content-sha256", body_hash) != body_hash:
        raise GatewayError("SignatureDoesNotMatch", "X-Content-Sha256 is not that of the body")
    hashed = hashlib.sha256(canonical_request(call, claim.signed, body_hash).encode()).hexdigest()
    text = f"HMAC-SHA256\n{stamp}\n{claim.scope}\n{hashed}"
    key = secret.encode()
    for part in claim.scope.split("/"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, claim.signature):
        raise GatewayError("SignatureDoesNotMatch")
    return claim.access_key


def canonical_request(call: Call, signed: tuple[str, ...], body_hash: str) -> str:
    """The text whose hash is signed."""
    lines = "".join(f"{name}:{_signed_value(call, name)}\n" for name in signed)
    return "\n".join(
        (
            call.method,
            call.path or "/",
            _canonical_query(call.query),
            lines,
            ";".join(signed),
            body_hash,
        )
    )


def _claim(call: Call, stamp: str) -> _Claim:
    authorization = call.headers.get("authorization")
    if not authorization:
        raise GatewayError("InvalidCredential")
    if not stamp:
        raise GatewayError("MissingRequestInfo", "X-Date")
    found = _AUTHORIZATION.fullmatch(authorization.strip())
    if found is None or not _DATE.fullmatch(stamp):
        raise GatewayError("InvalidAuthorization")
    access_key, date, region, service, names, signature = found.groups()
    signed = tuple(names.split(";"))
    if not {"host", "x-date"} <= set(signed) or list(signed) != sorted(signed):
        raise GatewayError("InvalidAuthorization", "SignedHeaders")
    if (region, service, date) != (REGION, SERVICE, stamp[:8]):
        raise GatewayError("SignatureDoesNotMatch", "Credential scope")
    return _Claim(access_key, date, f"{date}/{region}/{service}/request", signed, signature)


def _check_time(call: Call, stamp: str) -> None:
    try:
        signed_at = timegm(datetime.strptime(stamp, "%Y%m%dT%H%M%S%z").utctimetuple())
    except ValueError as error:
        raise GatewayError("InvalidTimestamp") from error
    window = dict(split_query(call.query)).get("X-Expires", "")
    allowed = int(window) if window.isdecimal() else _WINDOW_SECONDS
    if abs(call.now - signed_at) > allowed:
        raise GatewayError("InvalidTimestamp")


def _signed_value(call: Call, name: str) -> str:
    value = call.headers.get(name, "").strip()
    return re.sub(r":(80|443)$", "", value) if name == "host" else value


def _canonical_query(query: str) -> str:
    pairs = sorted((_recoded(key), _recoded(value)) for key, value in split_query(query))
    return "&".join(f"{key}={value}" for key, value in pairs)


def _recoded(part: str) -> str:
    return quote(unquote(part.replace("+", "%20")), safe="-_.~")
