"""Requests that must be refused, as data: run against any client of the application."""

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

__all__ = ["CASES", "HUGE_CASES", "UNREAL_KEY", "Case", "refuse"]

PATH: Final = "/v1/video/generations"
UNREAL_KEY: Final = "sk-" + "u" * 43
PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(64)
_MEBIBYTE: Final = 1024 * 1024

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
}

NEEDED: Final = "A token is needed; send the header `Authorization: Bearer sk-...` with yours."
NO_TOKEN: Final = (
    "What was sent is not a token, which has at least 43 characters behind `sk-`; send the header "
    "`Authorization: Bearer sk-...` with yours."
)
UNKNOWN: Final = (
    "This token is unknown or was revoked; send the header "
    "`Authorization: Bearer sk-...` with a valid one."
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request and exactly what it is answered.

    `body` is sent as JSON, `content` as it is; a header of `None` is not sent at all.
    """

    name: str
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    method: str = "POST"
    path: str = PATH
    status: int = 400
    code: str = "invalid_parameter"
    param: str | None = None
    message: str
    answer_headers: dict[str, str] = field(default_factory=dict)


async def refuse(client: httpx.AsyncClient, case: Case) -> None:
    """Send a case with a client whose token is valid, and check every word of the answer."""
    content = case.content
    if content is None and case.body is not None:
        content = json.dumps(case.body).encode()
    request = client.build_request(case.method, case.path, content=content)
    if content is not None:
        request.headers["Content-Type"] = "application/json"
    for name, value in case.headers.items():
        if value is None:
            del request.headers[name]
        else:
            request.headers[name] = value
    response = await client.send(request)
    members = {
        "code": case.code,
        "message": case.message,
        "param": case.param,
        "type": _TYPES[case.status],
    }
    assert response.status_code == case.status, response.text
    assert response.json() == {**members, "error": members}
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-Id"]
    for name, value in case.answer_headers.items():
        assert response.headers[name] == value


def _token(name: str, header: str | None, message: str) -> Case:
    return Case(
        name=f"token: {name}",
        body={"model": "kling-v1", "prompt": "a cat"},
        headers={"Authorization": header},
        status=401,
        code="invalid_api_key",
        message=message,
        answer_headers={"WWW-Authenticate": "Bearer"},
    )


def _read(name: str, path: str, *, token: bool, status: int, code: str, message: str) -> Case:
    return Case(
        name=name,
        method="GET",
        path=path,
        headers={} if token else {"Authorization": None},
        status=status,
        code=code,
        message=message,
    )


def _malformed(name: str, content: bytes, message: str, **headers: str | None) -> Case:
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    return Case(
        name=f"body: {name}", content=content, headers=names, code="invalid_json", message=message
    )


def _field(name: str, message: str, **fields: Any) -> Case:
    param = fields.pop("param", None) or next(iter(fields))
    body = {"model": "kling-v1", "prompt": "a cat"} | fields
    return Case(name=f"field: {name}", body=body, param=param, message=message)


def _types(name: str, message: str, values: list[Any]) -> list[Case]:
    """A field with each wrong type."""
    return [_field(f"{name} is {json.dumps(one)}", message, **{name: one}) for one in values]


def _form(name: str, parts: list[tuple[str, str | None, bytes]], **expected: Any) -> Case:
    lines = b""
    for field_name, filename, content in parts:
        described = f'form-data; name="{field_name}"'
        if filename is not None:
            described += f'; filename="{filename}"'
        lines += f"--cut\r\nContent-Disposition: {described}\r\n\r\n".encode()
        lines += content + b"\r\n"
    return Case(
        name=f"form: {name}",
        content=lines + b"--cut--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=cut"},
        **expected,
    )


_FORM_START: Final = [("model", None, b"kling-v1"), ("prompt", None, b"a cat")]
_PROMPT: Final = b'{"model":"kling-v1","prompt":"a cat"'
_SIZE_MESSAGE: Final = (
    "size must be pixels such as 1920x1080, a shape such as 16:9, or a tier such as 1080p."
)
_SIDES_MESSAGE: Final = "size must have sides from 1 to 16384 pixels."
_IMAGE_MESSAGE: Final = "image is neither a URL nor valid base64 of a picture."
_IMAGE_TYPE_MESSAGE: Final = "image must be text: a URL, a data: URI or base64."
_KIND_MESSAGE: Final = "image must be a PNG, JPEG, WebP or GIF picture."

_TOKENS = [
    _token("missing", None, NEEDED),
    _token("empty", "", NEEDED),
    _token("spaces", "   ", NEEDED),
    _token("the word alone", "Bearer", NEEDED),
    _token("the word and a colon", "Bearer: ", NEEDED),
    _token("too short", "Bearer sk-abc", NO_TOKEN),
    _token("another scheme", "Basic dXNlcjpwYXNzd29yZA==", NO_TOKEN),
    _token("two words", f"Bearer {UNREAL_KEY} {UNREAL_KEY}", NO_TOKEN),
    _token("endless", "Bearer sk-" + "x" * 5000, NO_TOKEN),
    _token("unknown", f"Bearer {UNREAL_KEY}", UNKNOWN),
    _token("unknown and bare", UNREAL_KEY, UNKNOWN),
    _read(
        "token: none, for a read",
        f"{PATH}/task_01m7wczamafj4sn87z101k97e6",
        token=False,
        status=401,
        code="invalid_api_key",
        message=NEEDED,
    ),
    *(
        _read(
            f"token: none, for the unknown route {path}",
            path,
            token=False,
            status=401,
            code="invalid_api_key",
            message=NEEDED,
        )
        for path in ("/v1", "/v1/", "/v1/nothing")
    ),
]

_ROUTES = [
    _read(
        f"route: unknown, {path}",
        path,
        token=True,
        status=404,
        code="route_not_found",
        message=f"There is no such route; {nearest}.",
    )
    for path, nearest in (
        ("/v1/nothing", "GET /openapi.json lists them all"),
        ("/nothing", "GET /openapi.json lists them all"),
        ("/v1x", "GET /openapi.json lists them all"),
        ("/v1/v1/models", "the nearest is GET /v1/models: take /v1 off the base URL"),
    )
] + [
    Case(
        name=f"route: {method} {path}",
        method=method,
        path=path,
        status=405,
        code="method_not_allowed",
        message="This route does not take this method.",
        answer_headers={"Allow": allow},
    )
    for method, path, allow in (
        ("PUT", PATH, "POST"),
        ("PUT", f"{PATH}/", "POST"),
        ("DELETE", f"{PATH}/task_01m7wczamafj4sn87z101k97e6", "GET, HEAD"),
        ("POST", f"{PATH}/task_01m7wczamafj4sn87z101k97e6", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    )
]

_TASKS = [
    _read(
        f"task: {task_id}",
        f"{PATH}/{task_id}",
        token=True,
        status=404,
        code="task_not_found",
        message=f"There is no task {task_id!r}.",
    )
    for task_id in (
        "task_01m7wczamafj4sn87z101k97e6",
        "task_01M7WCZAMAFJ4SN87Z101K97E6",
        "abcd1234efgh",
        "01m7wczamafj4sn87z101k97e6",
    )
]

_BODIES = [
    _malformed("nothing", b"", "The body is empty; send a JSON object."),
    _malformed("white space", b" \n\t ", "The body is empty; send a JSON object."),
    _malformed("an array", b"[]", "The body must be a JSON object, not an array."),
    _malformed("null", b"null", "The body must be a JSON object, not null."),
    _malformed("a string", b'"model"', "The body must be a JSON object, not a string."),
    _malformed("a number", b"5", "The body must be a JSON object, not a number."),
    _malformed("true", b"true", "The body must be a JSON object, not a boolean."),
    _malformed(
        "words",
        b"model=kling-v1",
        "The body is not valid JSON: Expecting value at line 1 column 1.",
    ),
    _malformed(
        "cut off",
        _PROMPT,
        "The body is not valid JSON: Expecting ',' delimiter at line 1 column 37.",
    ),
    _malformed(
        "two objects", b"{}{}", "The body is not valid JSON: Extra data at line 1 column 3."
    ),
    _malformed("NaN", _PROMPT + b',"seed":NaN}', "The body has NaN, which is not JSON."),
    _malformed(
        "Infinity", _PROMPT + b',"seed":-Infinity}', "The body has -Infinity, which is not JSON."
    ),
    _malformed(
        "1e999", _PROMPT + b',"duration":1e999}', "The body has a number that is too large."
    ),
    _malformed(
        "digits",
        _PROMPT + b',"seed":' + b"1" * 5000 + b"}",
        "The body has an integer with too many digits.",
    ),
    _malformed(
        "a key twice",
        _PROMPT + b',"model":"kling-v2"}',
        "The body has the key 'model' twice in one object.",
    ),
    _malformed(
        "a key twice inside",
        _PROMPT + b',"metadata":{"a":[{"b":1,"b":1}]}}',
        "The body has the key 'b' twice in one object.",
    ),
    _malformed(
        "101 levels",
        b'{"metadata":' + b"[" * 100 + b"]" * 100 + b"}",
        "The body has more than 100 levels.",
    ),
    _malformed("10,000 levels", b"[" * 10_000, "The body has more than 100 levels."),
    _malformed("a million levels", b'{"a":' * 200_000, "The body has more than 100 levels."),
    _malformed("broken UTF-8", b'{"model":"\xff"}', "The body is not UTF-8 at byte 10."),
    _malformed("UTF-16", '{"model":"a"}'.encode("utf-16"), "The body is not UTF-8 at byte 0."),
    _malformed("a surrogate in UTF-8", b'{"a":"\xed\xa0\x80"}', "The body is not UTF-8 at byte 6."),
    _malformed(
        "nothing but a byte order mark",
        b"\xef\xbb\xbf",
        "The body is empty; send a JSON object.",
    ),
    _malformed(
        "NUL", b'{"model":"kling-v1","prompt":"a\\u0000b"}', "The body has \\u0000 in a string."
    ),
    _malformed("NUL in a key", b'{"a\\u0000b":1}', "The body has \\u0000 in a string."),
    _malformed(
        "half a character",
        b'{"model":"kling-v1","prompt":"\\ud83d"}',
        "The body has a lone surrogate in a string.",
    ),
    _malformed(
        "half a character inside",
        b'{"metadata":{"a":["\\uDE00"]}}',
        "The body has a lone surrogate in a string.",
    ),
    _malformed(
        "a raw control character",
        b'{"model":"a\nb"}',
        "The body is not valid JSON: a raw line break or another control character in a string "
        "at line 1 column 12; write a line break as \\n.",
    ),
    _malformed(
        "a string without an end",
        b'{"model":"a',
        "The body is not valid JSON: Unterminated string starting at line 1 column 10.",
    ),
    _malformed("not gzip", _PROMPT + b"}", "The body is not valid gzip.", Content_Encoding="gzip"),
    _malformed(
        "half of gzip",
        gzip.compress(_PROMPT + b"}", mtime=0)[:-9],
        "The gzip body ends too early.",
        Content_Encoding="gzip",
    ),
    Case(
        name="body: an unknown encoding",
        content=b"{}",
        headers={"Content-Encoding": "br"},
        code="unknown_content_encoding",
        message="Of content encodings only gzip is understood.",
    ),
]

_FIELDS = [
    Case(
        name="field: model is missing",
        body={"prompt": "a cat"},
        param="model",
        message="model is required: the name of a model.",
    ),
    _field("model is null", "model is required: the name of a model.", model=None),
    _field("model is empty", "model is required: the name of a model.", model=""),
    _field("model is a space", "model is required: the name of a model.", model=" "),
    _field("model is long", "model may have at most 200 characters.", model="k" * 201),
    *_types("model", "model must be a string.", [5, True, [], {}]),
    Case(
        name="field: prompt is missing",
        body={"model": "kling-v1"},
        param="prompt",
        message="prompt is required: what the video shows.",
    ),
    _field("prompt is null", "prompt is required: what the video shows.", prompt=None),
    _field("prompt is empty", "prompt is required: what the video shows.", prompt=""),
    _field(
        "prompt is empty, with words in metadata",
        "prompt is required: what the video shows.",
        prompt="",
        metadata={"mode": "std", "callback_url": "https://hooks.example.test/"},
    ),
    *_types("prompt", "prompt must be a string.", [5, False, ["a cat"], {"text": "a cat"}]),
    *_types(
        "duration", "duration must be a number, such as 5.", [True, "5s", "nan", "1e9", [5], {}]
    ),
    *_types("duration", "duration must be from 0 to 86400.", [-5, "-5", 1e300]),
    *_types("seconds", "seconds must be a number, such as 5.", [False, "five"]),
    _field(
        "duration and seconds differ",
        "duration and seconds mean the same and differ; send one of them.",
        param="seconds",
        duration=5,
        seconds="10",
    ),
    *_types("fps", "fps must be an integer.", ["24.5", 24.5, True, [], {}]),
    *_types("fps", "fps must be from 1 to 1000.", [0, -1, 10**30]),
    *(
        case
        for side, other in (("width", "height"), ("height", "width"))
        for case in (
            _field(f"{side} is text", f"{side} must be an integer.", **{side: "720p", other: 720}),
            _field(f"{side} is 0", f"{side} must be from 1 to 16384.", **{side: 0, other: 720}),
            _field(
                f"{side} alone",
                f"{other} is required with {side}: together they mean a size.",
                param=other,
                **{side: 720},
            ),
        )
    ),
    *_types("size", "size must be a string.", [1080, True, [1920, 1080], {}]),
    *_types(
        "size", _SIZE_MESSAGE, ["big", "1920", "1920x", "-1x5", "1920x1080x3", "16:9:1", "1000p"]
    ),
    *_types("size", _SIDES_MESSAGE, ["0x0", "1920x0", "99999x99999"]),
    *_types("size", "size is not a possible shape, such as 16:9.", ["0:9", "16:0", "1000:1"]),
    _field(
        "size and width with height differ",
        "size and width with height differ; send one of them.",
        size="1920x1080",
        width=1280,
        height=720,
    ),
    *_types("image", _IMAGE_TYPE_MESSAGE, [5, True, [["a"]], {"url": 5}]),
    *_types("image", _IMAGE_MESSAGE, ["not a picture!", "AAAAA", "AA=A", "====", "图片"]),
    *_types("image", _KIND_MESSAGE, [base64.b64encode(b"GIF, as it were").decode()]),
    *_types(
        "image",
        "image must be an http or https URL, a data: URI or base64.",
        ["ftp://example.test/a.png", "file:///etc/passwd", "javascript:alert(1)"],
    ),
    *_types(
        "image", "image is not a valid URL.", ["https://", "http:/a.png", "https://[::1/a.png"]
    ),
    *_types(
        "image", "image is not a valid URL.", ["https://a.test/a b.png", "https://a.test:99999/"]
    ),
    *_types(
        "image",
        "The URL in image must not have a user name or password.",
        ["https://user:password@a.test/a.png"],
    ),
    _field(
        "image is a long URL",
        "The URL in image may have at most 8192 characters.",
        image="https://a.test/" + "a" * 8192,
    ),
    *_types(
        "image",
        "The data: URI in image must be of an image, such as image/png.",
        ["data:text/html;base64,PGI+"],
    ),
    *_types(
        "image", "The data: URI in image must be in base64.", ["data:image/png,abc", "data:,hello"]
    ),
    *_types("image", "image is not a valid data: URI.", ["data:image/png;base64"]),
    *_types("image", _IMAGE_MESSAGE, ["data:image/png;base64,$$$", "data:image/png;base64,"]),
    *_types("image", _KIND_MESSAGE, ["data:image/png;base64,AAAA"]),
    *_types("images", "images must be text: a URL, a data: URI or base64.", [5, True, [5], [[]]]),
    *_types("images", "images must be a picture, or an object with image_url.", [{}, [{}]]),
    _field(
        "one of images is bad",
        "images is neither a URL nor valid base64 of a picture.",
        images=["https://a.test/a.png", "nonsense!"],
    ),
    *_types("metadata", "metadata must be an object.", [5, True, []]),
    *_types("n", "n must be an integer.", ["one", 1.5, True, [], {}]),
    *_types("n", "n must be from 1 to 8.", [0, -1, 9, 100]),
    *_types("response_format", "response_format must be a string.", [5, True, [], {}]),
    Case(
        name="field: response_format is unknown, strictly",
        body={"model": "kling-v1", "prompt": "a cat", "response_format": "b64_json"},
        headers={"Prefer": "respond-async, handling=strict"},
        code="unsupported_parameter",
        param="response_format",
        message="Every video is an MP4 behind a URL. Allowed: url, mp4.",
    ),
    *_types("seed", "seed must be an integer.", ["1.5", 1.5, True, [], {}]),
    *_types(
        "seed", "seed must be from -9223372036854775808 to 9223372036854775807.", [2**63, -(2**70)]
    ),
    *_types("user", "user must be a string.", [5, True, [], {}]),
    _field("user is long", "user may have at most 512 characters.", user="u" * 513),
]

_FORMS = [
    Case(
        name="form: no boundary",
        content=b"--cut--",
        headers={"Content-Type": "multipart/form-data"},
        code="invalid_json",
        message="The Content-Type of a multipart body must name its boundary.",
    ),
    Case(
        name="form: JSON inside",
        content=b"{}",
        headers={"Content-Type": "multipart/form-data; boundary=cut"},
        code="invalid_json",
        message="The body is not a valid multipart form.",
    ),
    Case(
        name="form: cut off",
        content=b'--cut\r\nContent-Disposition: form-data; name="model"\r\n\r\nkl',
        headers={"Content-Type": "multipart/form-data; boundary=cut"},
        code="invalid_json",
        message="The multipart body ends too early.",
    ),
    _form(
        "too many parts",
        [("images", None, b"https://a.test/a.png")] * 65,
        code="invalid_json",
        message="A multipart body may have at most 64 parts.",
    ),
    _form(
        "a part without a name",
        [("", None, b"kling-v1")],
        code="invalid_json",
        message="A part of the multipart body has no name.",
    ),
    _form(
        "a field twice",
        [*_FORM_START, ("model", None, b"kling-v2")],
        param="model",
        message="model is there twice.",
    ),
    _form(
        "a file that is no picture's",
        [*_FORM_START, ("video", "a.mp4", b"mp4")],
        param="video",
        message="video cannot be a file.",
    ),
    _form(
        "a file that is no picture",
        [*_FORM_START, ("input_reference", "a.png", b"text")],
        param="input_reference",
        message="input_reference must be a PNG, JPEG, WebP or GIF picture.",
    ),
    _form(
        "metadata that is not JSON",
        [*_FORM_START, ("metadata", None, b"{mode}")],
        param="metadata",
        message=(
            "metadata is not valid JSON: Expecting property name enclosed in double quotes "
            "at line 1 column 2."
        ),
    ),
    _form(
        "not UTF-8",
        [("model", None, b"\xff")],
        code="invalid_json",
        message="In the multipart body model is not UTF-8.",
    ),
    _form(
        "fps in words",
        [*_FORM_START, ("fps", None, b"many")],
        param="fps",
        message="fps must be an integer.",
    ),
]

CASES: Final = [*_TOKENS, *_ROUTES, *_TASKS, *_BODIES, *_FIELDS, *_FORMS]


def _huge(name: str, content: bytes, message: str, **expected: Any) -> Case:
    return Case(
        name=f"huge: {name}",
        content=content,
        status=413,
        code="request_too_large",
        message=message,
        **expected,
    )


def _picture(size_bytes: int) -> bytes:
    return base64.b64encode(PNG + bytes(size_bytes - len(PNG)))


HUGE_CASES: Final = [
    _huge(
        "65 MiB",
        b" " * (65 * _MEBIBYTE),
        "The body may have at most 64 MiB.",
    ),
    _huge(
        "a gzip bomb",
        gzip.compress(b" " * (65 * _MEBIBYTE), 1, mtime=0),
        "The body may have at most 64 MiB, decompressed.",
        headers={"Content-Encoding": "gzip"},
    ),
    _huge(
        "3 MiB of JSON",
        _PROMPT + b',"metadata":{"a":"' + b"a cat " * (_MEBIBYTE // 2) + b'"}}',
        "JSON beside inline images may have at most 2 MiB.",
    ),
    _huge(
        "3 MiB of brackets",
        b'{"a":[' + b"[]," * _MEBIBYTE + b"0]}",
        "JSON beside inline images may have at most 2 MiB.",
    ),
    _huge(
        "a long key",
        b'{"' + b"k" * (3 * _MEBIBYTE) + b'":1}',
        "JSON beside inline images may have at most 2 MiB.",
    ),
    _huge(
        "a long prompt",
        b'{"model":"kling-v1","prompt":"' + b"a" * (3 * _MEBIBYTE) + b'"}',
        "prompt is too long.",
        param="prompt",
    ),
    _huge(
        "a picture of 21 MiB",
        _PROMPT + b',"image":"' + _picture(21 * _MEBIBYTE) + b'"}',
        "The picture in image may have at most 20 MB.",
        param="image",
    ),
    _huge(
        "a picture of 25 MiB in metadata",
        _PROMPT + b',"metadata":{"image_tail":"' + _picture(25 * _MEBIBYTE) + b'"}}',
        "The picture in metadata.image_tail may have at most 20 MB.",
        param="metadata.image_tail",
    ),
]
