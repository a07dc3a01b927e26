"""Kling's credentials, probe and callbacks."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from pydantic import SecretStr
from tests.support.adapters import NOW, answer
from tests.support.calls import read_answer
from tests.support.kling import API_KEY, HOST, SECRET, access, kling

from vidgate.exceptions import CallbackRefusedError, ConfigurationError
from vidgate.models.outcomes import UpstreamRef
from vidgate.providers.base import Callback

LEGACY_REF = UpstreamRef("930000000000000003", "/v1/videos/image2video")


def bearer(credential: str, seconds: float = 0) -> str:
    now = NOW + timedelta(seconds=seconds)
    sent = kling.poll([LEGACY_REF], access(credential), now).request
    return sent.headers["Authorization"].removeprefix("Bearer ")


# Tokens


def test_a_token_belongs_to_its_credential() -> None:

    tokens = {
        bearer(credential)
        for credential in (f"AK|{SECRET}", f"BK|{SECRET}", f"AK|{SECRET}x", f"AK|{SECRET}")
    }

    assert len(tokens) == 3


def test_a_token_is_signed_with_the_time_of_its_call() -> None:
    token = bearer(f"AK|{SECRET}", 60)

    claims = jwt.decode(token, options={"verify_signature": False})
    second = int(NOW.timestamp()) + 60
    assert claims == {"iss": "AK", "nbf": second - 5, "exp": second + 1800}


@pytest.mark.parametrize(
    "secret", ["ssh-rsa-0123456789abcdef0123456789", "-----BEGIN-PUBLIC-KEY-----"]
)
def test_a_secret_that_cannot_sign_is_refused_before_it_is_stored(secret: str) -> None:
    if secret.startswith("-"):
        secret = "ssh-ed25519-" + secret

    with pytest.raises(ConfigurationError, match="cannot sign") as caught:
        kling.check_credential(f"AK|{secret}")
    with pytest.raises(ConfigurationError, match="cannot sign"):
        kling.test(access(f"AK|{secret}"), NOW)
    assert secret not in str(caught.value)


# Probing


def probe(body: Any, status: int = 200, credential: str = API_KEY) -> tuple[bool, str]:
    is_raw = isinstance(body, bytes)
    response = httpx.Response(status, content=body) if is_raw else answer(status, body)
    said = read_answer(kling.test(access(credential), NOW), response)
    assert said.sentence.endswith(".")
    assert credential not in said.sentence
    return said.works, said.sentence


def costs(*states: str) -> dict[str, Any]:
    packs = [{"resource_pack_name": "x", "status": state} for state in states]
    return {
        "code": 0,
        "message": "SUCCEED",
        "data": {"code": 0, "msg": "", "resource_pack_subscribe_infos": packs},
    }


@pytest.mark.parametrize("credential", [API_KEY, f"AK|{SECRET}"])
def test_the_probe_reads_and_makes_nothing(credential: str) -> None:
    sent = kling.test(access(credential), NOW).request

    end = int(NOW.timestamp() * 1000)
    assert sent.method == "GET"
    assert str(sent.url) == (
        f"{HOST}/account/costs?start_time={end - 24 * 3600 * 1000}&end_time={end}"
    )
    assert sent.headers["Authorization"].startswith("Bearer ")
    assert sent.content == b""


@pytest.mark.parametrize("states", [(), ("online",), ("expired", "online")])
def test_a_channel_that_works(states: tuple[str, ...]) -> None:
    assert probe(costs(*states)) == (True, "The credential works.")


def test_a_channel_that_works_and_lacks_something() -> None:
    works, sentence = probe(costs("expired", "runOut"))
    assert works
    assert "no resource pack" in sentence

    works, sentence = probe(costs("online"), credential=f"AK|{SECRET}")
    assert works
    assert "legacy models only" in sentence


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (1000, 401, "region"),
        (1001, 401, "region"),
        (1002, 401, "refuses the credential"),
        (1003, 401, "clock"),
        (1004, 401, "clock"),
        (1100, 429, "account"),
        (1101, 429, "arrears"),
        (1102, 429, "used up"),
        (1103, 403, "permission"),
        (1202, 404, "base URL"),
        (1203, 404, "base URL"),
        (1302, 429, "too often"),
        (1303, 200, "too often"),
        (1304, 429, "address"),
        (5000, 500, "try again"),
        (5001, 503, "maintenance"),
        (5002, 504, "try again"),
        (1999, 400, "1999"),
    ],
)
def test_a_channel_that_does_not_work(code: int, status: int, words: str) -> None:
    for body in ({"code": code, "message": "?"}, {"code": 0, "data": {"code": code}}):
        works, sentence = probe(body, status)
        assert not works
        assert words in sentence


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"<html>Not Found</html>", 404, "base URL"),
        (b"<html>hello</html>", 200, "base URL"),
        (b"{}", 200, "base URL"),
        (b"", 401, "refuses the credential"),
        (b"<html>Forbidden</html>", 403, "refuses the credential"),
        (b"<html>slow down</html>", 429, "too often"),
        (b"<html>Bad Gateway</html>", 502, "fails at the moment"),
        (b"\xff{", 503, "fails at the moment"),
    ],
)
def test_something_else_at_the_base_url(content: bytes, status: int, words: str) -> None:
    works, sentence = probe(content, status)

    assert not works
    assert words in sentence


# Callbacks

VECTOR_SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
VECTOR = Callback(
    method="POST",
    url="https://ours.example/callbacks/kling/1",
    headers={
        "webhook-id": "9876543210",
        "webhook-timestamp": "1781080794",
        "webhook-signature": "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4=",
    },
    body=b'{"id":"1234567890","status":"succeeded","message":"","create_time":1781080778802,'
    b'"update_time":1781080794151}',
    received_at=datetime.fromtimestamp(1781080794, UTC),
)


def check(callback: Callback, secret: str | None = VECTOR_SECRET) -> None:
    kling.check_callback(callback, access(), SecretStr(secret) if secret else None)


def with_headers(**headers: str) -> Callback:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(VECTOR, headers={**VECTOR.headers, **changed})


def test_the_documented_vector() -> None:
    check(VECTOR)


def test_without_a_secret_nothing_is_checked() -> None:
    check(replace(VECTOR, headers={}, body=b"\xff"), None)


@pytest.mark.parametrize("offset", [-300, 300])
def test_five_minutes_are_allowed(offset: int) -> None:
    check(replace(VECTOR, received_at=VECTOR.received_at + timedelta(seconds=offset)))


@pytest.mark.parametrize("offset", [-301, 301, 86_400 * 365])
def test_more_is_not(offset: int) -> None:
    late = replace(VECTOR, received_at=VECTOR.received_at + timedelta(seconds=offset))

    with pytest.raises(CallbackRefusedError, match="five minutes"):
        check(late)


def test_one_signature_of_several_is_enough() -> None:
    right = VECTOR.headers["webhook-signature"]

    check(with_headers(webhook_signature=f"v1,AAAA {right}"))
    check(with_headers(webhook_signature=f"{right} v1,AAAA v2,BBBB"))


def test_a_rotated_secret_signs_too() -> None:
    key = b"another secret"
    signed = b"9876543210.1781080794." + VECTOR.body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    both = f"v1,{signature} {VECTOR.headers['webhook-signature']}"

    check(with_headers(webhook_signature=both))
    check(with_headers(webhook_signature=both), f"whsec_{base64.b64encode(key).decode()}")
    check(with_headers(webhook_signature=both), base64.b64encode(key).decode())


@pytest.mark.parametrize(
    "callback",
    [
        replace(VECTOR, headers={}),
        replace(VECTOR, body=VECTOR.body + b" "),
        replace(VECTOR, body=b""),
        replace(VECTOR, body=b"\xff"),
        with_headers(webhook_id=""),
        with_headers(webhook_id="9876543211"),
        with_headers(webhook_timestamp=""),
        with_headers(webhook_timestamp="soon"),
        with_headers(webhook_timestamp="-1781080794"),
        with_headers(webhook_timestamp="1" * 400),
        with_headers(webhook_timestamp="1781080795"),
        with_headers(webhook_signature=""),
        with_headers(webhook_signature="v1,"),
        with_headers(webhook_signature="v2,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="),
        with_headers(webhook_signature="UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="),
        with_headers(webhook_signature="v1,\ud800é"),
        with_headers(webhook_id="\ud800"),
    ],
)
def test_a_callback_that_is_not_signed_right_is_refused(callback: Callback) -> None:
    with pytest.raises(CallbackRefusedError):
        check(callback)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_%%%", "whsec_ä", "whsec_dGVzd"])
def test_a_secret_that_is_none_checks_nothing(secret: str) -> None:
    with pytest.raises(CallbackRefusedError, match="whsec_") as caught:
        check(VECTOR, secret)
    assert "dGVzd" not in str(caught.value)
