"""What the sandbox's tests share: a clock moved by hand, ways to call, a picture."""

import base64
import hashlib
import hmac
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from vidgate.sandbox.callbacks import Callbacks
from vidgate.sandbox.registry import SANDBOX_KEYS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()

ROOT = "http://sandbox.test"
KLING = f"{ROOT}/kling"
VIDU = f"{ROOT}/vidu/ent/v2"

KLING_HEADERS = {"Authorization": f"Bearer {SANDBOX_KEYS['kling']}"}
VIDU_HEADERS = {"Authorization": f"Token {SANDBOX_KEYS['vidu']}"}


class Clock:
    """Unix seconds that stand still."""

    def __init__(self, at: float = NOON) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


class Inbox:
    """Receives the callbacks of a sandbox, without sockets.

    Attributes:
        statuses: What the next deliveries are answered with; 200 when it is used up.
    """

    def __init__(self, callbacks: Callbacks) -> None:
        self.requests: list[httpx.Request] = []
        self.statuses: list[int] = []
        self._callbacks = callbacks
        callbacks.transport = httpx.MockTransport(self._receive)

    def _receive(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.statuses.pop(0) if self.statuses else 200)

    async def bodies(self) -> list[Any]:
        """What has come, once everything due is sent."""
        await self._callbacks.deliver_due()
        return [orjson.loads(request.content) for request in self.requests]


def png(width: int = 640, height: int = 360, *, data_uri: bool = False) -> str:
    """A real grey PNG, as Base64."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows)
    text = base64.b64encode(content + chunk(b"IEND", b"")).decode()
    return f"data:image/png;base64,{text}" if data_uri else text


def jimeng_call(
    action: str,
    body: dict[str, Any],
    at: float,
    *,
    key: str = SANDBOX_KEYS["jimeng"],
    path: str = "/jimeng/",
    version: str = "2022-08-31",
    region: str = "cn-north-1",
    extra: dict[str, str] | None = None,
) -> httpx.Request:
    """A request signed by the steps of the vendor's page."""
    access_key, _, secret_key = key.partition("|")
    content = orjson.dumps(body)
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    query = f"Action={action}&Version={version}"
    body_hash = hashlib.sha256(content).hexdigest()
    headers = {
        "content-type": "application/json",
        "host": "sandbox.test",
        "x-content-sha256": body_hash,
        "x-date": stamp,
        **(extra or {}),
    }
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    canonical = f"POST\n{path}\n{query}\n{lines}\n{';'.join(names)}\n{body_hash}"
    scope = f"{stamp[:8]}/{region}/cv/request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
    signing_key = secret_key.encode()
    for part in scope.split("/"):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    signature = hmac.new(signing_key, text.encode(), "sha256").hexdigest()
    headers["authorization"] = (
        f"HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, "
        f"Signature={signature}"
    )
    return httpx.Request("POST", f"{ROOT}{path}?{query}", content=content, headers=headers)


def kling_jwt(
    access_key: str, secret_key: str, now: float, *, lasts: float = 1800, begins: float = -5
) -> str:
    """A legacy Kling token."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    header = part(orjson.dumps({"alg": "HS256", "typ": "JWT"}))
    claims = part(
        orjson.dumps({"iss": access_key, "exp": int(now + lasts), "nbf": int(now + begins)})
    )
    signature = hmac.digest(secret_key.encode(), f"{header}.{claims}".encode(), "sha256")
    return f"{header}.{claims}.{part(signature)}"
