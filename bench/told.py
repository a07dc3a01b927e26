"""The gateway, with the moments at which it knew of an end and told it written to a file."""

import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from vidgate.cli import main
from vidgate.services.deliveries.sender import Sent, WebhookSender
from vidgate.services.views.changes import Changes

_hinted: dict[str, float] = {}
_written: dict[str, float] = {}
_sent: dict[str, float] = {}
_heard, _send, _post = Changes.heard, RequestResponseCycle.send, WebhookSender.send


def _note_hint(self: Changes, name: str) -> None:
    _hinted[name] = time.time()
    _heard(self, name)


async def _note_answer(self: RequestResponseCycle, message: Any) -> None:
    await _send(self, message)
    if self.response_complete and b"wait" in self.scope["query_string"]:
        _written[self.scope["path"].rpartition("/")[2]] = time.time()


async def _note_webhook(self: WebhookSender, url: str, body: str, **named: Any) -> Sent:
    _sent[urlsplit(url).path] = time.time()
    return await _post(self, url, body, **named)


if __name__ == "__main__":
    Changes.heard = _note_hint  # type: ignore[method-assign] # what is measured
    RequestResponseCycle.send = _note_answer  # type: ignore[method-assign] # likewise
    WebhookSender.send = _note_webhook  # type: ignore[method-assign] # likewise
    path = Path(sys.argv.pop(1))
    try:
        main()
    finally:
        path.write_text(json.dumps([_hinted, _written, _sent]))
