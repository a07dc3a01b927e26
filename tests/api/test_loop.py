"""Large bodies of every shape: none of the work that they make is the event loop's.

What is counted is the work itself and no time: the functions that run in the loop's thread, and the
text that the standard library reads or writes as JSON there.
"""

import asyncio
import base64
import binascii
import gzip
import json
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import httpx
import pytest
from tests.support.engine import Engine
from tests.support.gateway import build_app
from tests.support.serving import serve

from vidgate.constants import HEAVY_BYTES
from vidgate.providers.pieces import PIECE_BYTES

VIDU = "/vidu/ent/v2/text2video"
OURS = "/v1/video/generations"
GOOD = {"model": "viduq3-turbo", "prompt": "a boat"}
BOUNDARY = "cut"
CALLS = 20_000
"""More than twice what a small request and a body in a hundred pieces need; each value of a large
body that is looked at by the loop is one or more."""

TEXT = 100_000
"""Of JSON at a time; a small request makes a few hundred characters."""

ECHOED = 1_000_000
"""Of Vidu's `payload`, which comes back from the database with the task: one copy, and no walk."""

TAKEN = {"task_id": "9", "state": "created", "credits": 1, "created_at": "2026-11-20T08:00:00Z"}


def body(**members: Any) -> bytes:
    return json.dumps(GOOD | members).encode()


def raw(values: bytes) -> bytes:
    return body(metadata={"a": 0}).replace(b'"a": 0', b'"a": ' + values)


def form(parts: dict[str, bytes]) -> bytes:
    lines = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in parts.items()
    )
    return lines + f"--{BOUNDARY}--\r\n".encode()


def picture(size: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 1280, 720)
    return base64.b64encode(head + bytes(size)).decode()


WIDE = {f"field {number}": ["a", 1.5, None, {"b": "c" * 150}] for number in range(1600)}
"""Just under the limit of values."""

SHAPES: dict[str, tuple[str, bytes, dict[str, str], int]] = {
    "650,000 empty arrays": (OURS, raw(b"[" + b"[]," * 650_000 + b"[]]"), {}, 400),
    "a million levels": (OURS, raw(b"[" * 900_000 + b"]" * 900_000), {}, 400),
    "many small strings": (OURS, raw(b"[" + b'"ab",' * 350_000 + b'""]'), {}, 400),
    "many numbers": (OURS, raw(b"[" + b"1.5," * 400_000 + b"1]"), {}, 400),
    "many keys": (OURS, body(metadata=dict.fromkeys(map(str, range(120_000)))), {}, 400),
    "brackets that are none": (OURS, body(metadata={"a": "[{,\\" * 200_000}), {}, 200),
    "escapes": (OURS, raw(b'"' + b"\\ud83d\\ude00" * 100_000 + b'"'), {}, 200),
    "one huge string": (VIDU, body(payload="p" * ECHOED), {}, 200),
    "as many values as are taken": (OURS, body(metadata=WIDE), {}, 200),
    "as many in the vendor's words": (VIDU, body(**WIDE), {}, 200),
    "recognised by its key": (OURS, body(metadata=WIDE), {"Idempotency-Key": "k"}, 200),
    "gzip": (OURS, gzip.compress(body(metadata=WIDE)), {"Content-Encoding": "gzip"}, 200),
    "a form of many parts": (
        OURS,
        form(
            {name: value.encode() for name, value in GOOD.items()}
            | {f"metadata[field {n}]": json.dumps(["a" * 50] * 150).encode() for n in range(60)}
        ),
        {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        200,
    ),
    "an inline picture": (OURS, body(image=picture(3_000_000)), {}, 200),
    "pictures among the vendor's fields": (
        OURS,
        body(metadata={"images": [picture(999_999)]}),
        {},
        200,
    ),
}


@dataclass
class Work:
    """What the loop's thread did.

    Attributes:
        calls: Functions that ran.
        text: The longest JSON that was read or written.
    """

    calls: int = 0
    text: int = 0

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in {"call", "c_call"}:
            self.calls += 1
        if frame.f_code.co_filename.endswith(("json/decoder.py", "json/encoder.py")):
            seen = frame.f_locals.get("s") if event == "call" else argument
            if isinstance(seen, str):
                self.text = max(self.text, len(seen))


@contextmanager
def watching() -> Iterator[Work]:
    """Watch this thread, in which the loop runs."""
    work = Work()
    sys.setprofile(work.note)
    try:
        yield work
    finally:
        sys.setprofile(None)


@pytest.fixture
async def port(engine: Engine) -> AsyncIterator[int]:
    await engine.channel("vidu")
    answer = httpx.Response(200, json=TAKEN)
    engine.router.route().mock(side_effect=lambda _request: answer)
    async with serve(build_app(engine)) as port:
        yield port


async def post(
    port: int,
    key: str,
    path: str,
    content: bytes,
    headers: dict[str, str],
    *,
    method: str = "POST",
) -> bytes:
    """Send a request in pieces, as a network would bring it; the answer as it comes."""
    lines = {
        "Host": "vidgate.test",
        "Authorization": f"Bearer {key}",
        "Content-Length": str(len(content)),
        "Connection": "close",
        **headers,
    }
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {lines[name]}\r\n" for name in lines)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + b"\r\n" + content)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("name", SHAPES)
async def test_a_large_body_is_no_work_for_the_loop(engine: Engine, port: int, name: str) -> None:
    path, content, headers, status = SHAPES[name]
    inflated = gzip.decompress(content) if name == "gzip" else content
    assert len(inflated) > HEAVY_BYTES
    await post(port, engine.key, path, body(), {})  # what is made once is made
    echoed = ECHOED if name == "one huge string" else 0

    with watching() as work:
        answer = await post(port, engine.key, path, content, headers)

    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:2000]
    assert work.calls < CALLS
    assert work.text < TEXT + echoed
    assert len(answer) < 5_000 + echoed


SMALL: dict[str, Any] = {
    "as many values as are taken": {
        f"f{number}": ["a", 1.5, None, {"b": {}}] for number in range(1600)
    },
    "objects": {"a": [{"x": 1.5}] * 4900},
    "empty arrays": {"a": [[]] * 9900},
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["", "with a key"])
async def test_many_values_are_no_work_for_the_loop_either(
    engine: Engine, port: int, name: str, headers: dict[str, str]
) -> None:
    content = body(metadata=SMALL[name])
    assert len(content) < HEAVY_BYTES
    await post(port, engine.key, OURS, body(), {})

    with watching() as work:
        answer = await post(port, engine.key, OURS, content, headers)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert work.calls < CALLS


async def test_what_the_loop_does_of_the_largest_body_it_reads_is_bounded(
    engine: Engine, port: int
) -> None:
    content = body(metadata={f"f{number}": "a" * 50 for number in range(1500)})
    await post(port, engine.key, OURS, body(), {})

    with watching() as work:
        answer = await post(port, engine.key, OURS, content, {})

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert CALLS < work.calls < 100_000  # about ten milliseconds, in many pieces


PICTURE = picture(3_000_000)
LINES = base64.encodebytes(base64.b64decode(PICTURE)).decode()
URI = "data:image/png;base64," + PICTURE
KLING = "/kling/v1/videos/image2video"
OPEN = {"model": "clip-1"}
TURBO = {"model": "kling-v2-5-turbo"}
SEEDANCE = {"model": "jimeng_i2v_first_v30"}
PICTURES: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "a compatible server, base64": (OURS, body(image=PICTURE, **OPEN), {}),
    "a compatible server, two": (OURS, body(images=[PICTURE, URI], **OPEN), {}),
    "a compatible server, its field": (OURS, body(metadata={"image_tail": URI}, **OPEN), {}),
    "Kling": (OURS, body(image=URI, **TURBO), {}),
    "Kling, its field": (OURS, body(metadata={"image": URI}, **TURBO), {}),
    "Kling, its words": (KLING, body(model_name=TURBO["model"], image=PICTURE), {}),
    "Vidu": (OURS, body(image=PICTURE), {}),
    "Vidu, its field": (OURS, body(metadata={"images": [URI]}), {}),
    "Vidu, its words": ("/vidu/ent/v2/img2video", body(images=[URI]), {}),
    "Jimeng": (OURS, body(image=PICTURE, **SEEDANCE), {}),
    "Jimeng, its field": (OURS, body(metadata={"binary_data_base64": [URI]}, **SEEDANCE), {}),
    "recognised by its key": (OURS, body(metadata={"images": [URI]}), {"Idempotency-Key": "k"}),
    "with line breaks": (OURS, body(image=LINES), {}),
    "in a form": (
        OURS,
        form({name: value.encode() for name, value in (GOOD | {"image": PICTURE}).items()}),
        {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    ),
}


@dataclass
class Codecs:
    """What base64 and JSON were given at once, in any thread.

    Attributes:
        most: The most characters or bytes.
        all: All together.
    """

    most: int = 0
    all: int = 0

    def add(self, given: object) -> None:
        if isinstance(given, str | bytes | bytearray):
            self.most = max(self.most, len(given))
            self.all += len(given)

    def watched(self, codec: Callable[..., bytes]) -> Callable[..., bytes]:
        def call(given: str | bytes, **options: Any) -> bytes:
            self.add(given)
            return codec(given, **options)

        return call

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.endswith("json/decoder.py"):
            self.add(frame.f_locals.get("s"))
        elif event == "return" and name.endswith("json/encoder.py"):
            self.add(argument)


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_holds_nobody_up_in_a_thread(
    engine: Engine, port: int, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A codec lets no other thread run while it is at work, so it is given a piece at a time."""
    path, content, headers = PICTURES[name]
    for provider in ("kling", "jimeng", "openai_compatible"):
        await engine.channel(provider)
    codecs = Codecs()
    for codec in ("a2b_base64", "b2a_base64"):
        monkeypatch.setattr(binascii, codec, codecs.watched(getattr(binascii, codec)))
    threads = ThreadPoolExecutor(initializer=lambda: sys.setprofile(codecs.note))
    asyncio.get_running_loop().set_default_executor(threads)

    answer = await post(port, engine.key, path, content, headers)

    assert answer.startswith(b"HTTP/1.1 200 "), answer[:2000]
    assert len(engine.router.calls.last.request.content) > 3_000_000
    assert codecs.all > len(PICTURE)
    assert codecs.most < PIECE_BYTES + 1000
