"""Result files: links that cannot be guessed and that expire, and the bytes behind them.

A link must come back byte for byte: its signature holds escaped characters (`%2F`, `%3D`), and a
client that decodes or re-encodes them is refused, as some object stores do.
"""

import base64
import hashlib
import hmac
import math
import re
import secrets
from urllib.parse import quote

from vidgate.sandbox.wire import OK, Reply

__all__ = ["Links", "file_reply"]

_PARTIAL = 206
_UNSATISFIABLE = 416
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Links:
    """Signs the links of one sandbox with a secret that dies with it."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def path(self, provider: str, job_id: str, name: str, expires_at: float) -> str:
        """The path and query of a link."""
        path = f"/files/{provider}/{job_id}/{name}"
        return f"{path}?{self._query(path, math.ceil(expires_at))}"

    def refusal(self, path: str, query: str, now: float) -> str | None:
        """Why a link may not be followed, or `None`."""
        expires = query.partition("&")[0].removeprefix("Expires=")
        if not expires.isdecimal() or not hmac.compare_digest(
            query.encode(), self._query(path, int(expires)).encode()
        ):
            return "SignatureDoesNotMatch"
        return "AccessDenied: the link has expired" if now >= int(expires) else None

    def _query(self, path: str, expires: int) -> str:
        digest = hmac.digest(self._secret, f"{path}\n{expires}".encode(), hashlib.sha256)
        signature = base64.b64encode(b"/" + digest).decode()
        return f"Expires={expires}&Signature={quote(signature, safe='')}%2Fend"


def file_reply(content: bytes, content_type: str, wanted: str | None) -> Reply:
    """Answer a download, whole or in part.

    `wanted` is the `Range` header, `None` if there was none. Several ranges are answered in whole.
    """
    tag = f'"{hashlib.sha256(content[:4096]).hexdigest()[:16]}-{len(content)}"'
    common = (("accept-ranges", "bytes"), ("etag", tag), ("cache-control", "private"))
    found = _RANGE.fullmatch(wanted.strip()) if wanted else None
    if found is None or not (found[1] or found[2]):
        return Reply(OK, content, content_type, common)
    size = len(content)
    if found[1]:
        first = int(found[1])
        last = min(int(found[2]), size - 1) if found[2] else size - 1
    else:
        first, last = max(0, size - int(found[2])), size - 1
    if first > last:
        return Reply(_UNSATISFIABLE, b"", content_type, (("content-range", f"bytes */{size}"),))
    part = (("content-range", f"bytes {first}-{last}/{size}"), *common)
    return Reply(_PARTIAL, content[first : last + 1], content_type, part)
