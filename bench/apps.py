"""Two bare ASGI functions: the ceiling of every ratio, and an upstream that answers at once."""

import itertools
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_BODY = b'{"status":"processing"}' + b" " * 900
"""As long as a task's answer."""

_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]
_ids = itertools.count(930_000_000_000_000_000)


async def ceiling(scope: _Message, _receive: _Receive, send: _Send) -> None:
    """Answer the same bytes to everything."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


async def upstream(scope: _Message, _receive: _Receive, send: _Send) -> None:
    """Accept every Kling submit at once, each with an id of its own."""
    if scope["type"] != "http":
        return
    body = b'{"code":0,"message":"SUCCEED","data":{"task_id":"%d"}}' % next(_ids)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
