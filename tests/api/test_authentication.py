from collections.abc import AsyncIterator

import pytest
from tests.support.api import KEY, Api, call, open_api

from vidgate.api.authentication import read_key

PATH = "/v1/video/generations"
BARE = KEY.removeprefix("sk-")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with open_api() as api:
        yield api


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {KEY}",
        f"Bearer: {KEY}",
        f"Bearer:{KEY}",
        f"Bearer : {KEY}",
        f"bearer {KEY}",
        f"BEARER   {KEY}  ",
        f"bEaReR\t{KEY}",
        f"Token {KEY}",
        f"token: {KEY}",
        f"Bearer {BARE}",
        f"Bearer: {BARE}",
        KEY,
        BARE,
        f"  {KEY}",
        f"Bearer{KEY}",
    ],
)
async def test_a_token_is_taken_however_it_is_written(api: Api, header: str) -> None:
    response = await api.client.get(f"{PATH}/task_1", headers={"Authorization": header})

    assert response.status_code == 404


@pytest.mark.parametrize("key", ["bearer" + "x" * 40, "token" + "_" * 40, "sk-sk-" + "x" * 40])
def test_a_key_may_look_like_what_stands_before_it(key: str) -> None:
    expected = key if key.startswith("sk-") else f"sk-{key}"

    assert read_key([(b"authorization", f"Bearer {key}".encode())]) == expected


def test_no_header_no_key() -> None:
    assert read_key([(b"host", b"gateway.test")]) is None
    assert read_key([(b"authorization", b"Bearer \xff\xfe" + b"x" * 40)]) is None


async def test_what_is_open_needs_no_token(api: Api) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"):
        response = await api.client.get(path, headers={"Authorization": ""})

        assert response.status_code == 200


async def test_a_database_that_is_away_is_no_401(api: Api) -> None:
    api.services.directory.is_up = False

    response = await api.client.post(PATH, json={})

    assert response.status_code == 503
    assert response.json()["code"] == "storage_unavailable"
    assert response.headers["Retry-After"] == "2"


async def test_not_a_byte_of_a_body_is_read_before_the_answer(api: Api) -> None:
    headers = [(b"authorization", b"Bearer"), (b"content-length", b"67108864")]
    received: list[str] = []

    async def receive() -> dict[str, object]:
        received.append(f"after {len(sent)} messages")
        return {"type": "http.request", "body": b"x" * 1024 * 1024, "more_body": len(received) < 3}

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "headers": headers,
        "query_string": b"",
    }
    await api.app(scope, receive, send)  # type: ignore[arg-type]

    assert sent[0]["status"] == 401
    assert (b"connection", b"close") in sent[0]["headers"]  # type: ignore[operator]
    # The whole answer is out before the rest is taken in, and the connection ends after that.
    assert received == ["after 2 messages"] * 3
    assert [message.get("more_body") for message in sent[1:]] == [True, None]


async def test_a_connection_lives_on_when_the_body_was_read(api: Api) -> None:
    body = [{"type": "http.request", "body": b"[]", "more_body": False}]

    sent = await call(api.app, body, headers=[(b"content-length", b"2")])

    assert sent[0]["status"] == 400
    assert b"connection" not in dict(sent[0]["headers"])
