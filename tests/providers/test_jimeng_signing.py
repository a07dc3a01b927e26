import hashlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from tests.support.jimeng import ACCESS, BASE_URL, JIMENG, NOW, REF, SECRET, access

from vidgate.exceptions import ConfigurationError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import UpstreamRef
from vidgate.providers.jimeng.signing import (
    Credential,
    canonical_request,
    parse_credential,
    sign,
    signing_keys,
)


def signature_of(
    action: str, body: str, at: datetime, key: Credential
) -> tuple[dict[str, str], str]:
    url = httpx.URL(f"{BASE_URL}/?Action={action}&Version=2022-08-31")
    headers = {"content-type": "application/json"}
    sign(url, headers, body.encode(), key, at)
    canonical = canonical_request(
        url, {name: value for name, value in headers.items() if name != "authorization"}
    )[0]
    return headers, hashlib.sha256(canonical.encode()).hexdigest()


# Vectors made with the official packages `volcengine` and `volcengine-python-sdk`.


def test_key_chain() -> None:
    assert [key.hex() for key in signing_keys(SECRET, "20261120")] == [
        "b567bc3ee61e53acf2ead46f32c0adcb4da3c15f8313b5f8ce5e2c7cb6aa9bc0",
        "ebe8ddfbe0625613c3dd8553c95d89df1d875f3d7f66ad7d158316a6457feb6d",
        "ad506ff7c34879b5ff0cce826457f179ec2c45593159bd563e295a565aeb3fac",
        "8ad22094595d775f2f4f072f6b96e0a80953148b046f0fcc769c12516c4eb3fc",
    ]


def test_canonical_request_of_a_submit() -> None:
    url = httpx.URL(f"{BASE_URL}/?Action=CVSync2AsyncSubmitTask&Version=2022-08-31")
    digest = "9af7973fdc19b3af2dba33d418d47d8cf9ecefd7d49ce21454b1688a84d1de6f"
    headers = {
        "content-type": "application/json",
        "x-content-sha256": digest,
        "x-date": "20261120T080000Z",
    }

    canonical, names = canonical_request(url, headers)

    assert names == "content-type;host;x-content-sha256;x-date"
    assert canonical == (
        "POST\n/\nAction=CVSync2AsyncSubmitTask&Version=2022-08-31\n"
        "content-type:application/json\nhost:visual.volcengineapi.com\n"
        f"x-content-sha256:{digest}\nx-date:20261120T080000Z\n\n"
        f"content-type;host;x-content-sha256;x-date\n{digest}"
    )


@pytest.mark.parametrize(
    ("action", "body", "seconds", "body_hash", "canonical_hash", "signature"),
    [
        pytest.param(
            "CVSync2AsyncSubmitTask",
            '{"req_key": "jimeng_t2v_v30", "prompt": "a paper boat on a river", "seed": -1,'
            ' "frames": 121, "aspect_ratio": "16:9"}',
            0,
            "9af7973fdc19b3af2dba33d418d47d8cf9ecefd7d49ce21454b1688a84d1de6f",
            "81c6c895c0fb61a951674377fc16f31972092ba2de5684e2a55c684cadd37c53",
            "d211fe55be35fca887e224ddd1549a466ea1a36b0fbc85ea2b22f57e85630a01",
            id="V1",
        ),
        pytest.param(
            "CVSync2AsyncSubmitTask",
            '{"req_key": "jimeng_i2v_first_tail_v30_1080", '
            '"prompt": "\\u5343\\u519b\\u4e07\\u9a6c", "image_urls": ["https://example.com/a.png",'
            ' "https://example.com/b.png"], "seed": -1, "frames": 241}',
            10,
            "ca1ba7b73a8740ad84087854081b3bb1b3100cc324a3280e1ceecee0788c88ac",
            "8b2b7c5b833c411d33600919c67ec672b4be307c8035ed38f6e0f8d0f291e65d",
            "737a51edd34ea192ad9842322e00c1716c9a6e5331811005ebbabc3acc8e62a5",
            id="V3",
        ),
        pytest.param(
            "CVSync2AsyncSubmitTask",
            '{"req_key":"jimeng_i2v_first_tail_v30_1080","prompt":"千军万马","image_urls":'
            '["https://example.com/a.png","https://example.com/b.png"],"seed":-1,"frames":241}',
            10,
            "6d7723ec0d0763902368176c362ab0973f4eddace68b326cc5bfdbe40fc3fe2e",
            "ab766c98e243aa2764b4fcce8db5a1ba27bdd3b1e2d453cbce29280a8fb9f08a",
            "2b08a4ef177c7d5e8a402701787ea06bbdf6c06183f5f7165c25a649c69d3e2b",
            id="V3b",
        ),
    ],
)
def test_signature(  # noqa: PLR0917 - the columns of the table of vectors
    action: str, body: str, seconds: int, body_hash: str, canonical_hash: str, signature: str
) -> None:
    at = NOW + timedelta(seconds=seconds)

    headers, canonical = signature_of(action, body, at, Credential(ACCESS, SECRET))

    assert headers["x-content-sha256"] == body_hash
    assert canonical == canonical_hash
    assert headers["authorization"] == (
        f"HMAC-SHA256 Credential={ACCESS}/20261120/cn-north-1/cv/request,"
        f" SignedHeaders=content-type;host;x-content-sha256;x-date, Signature={signature}"
    )


def test_signature_with_a_session_token() -> None:
    body = '{"req_key": "jimeng_ti2v_v30_pro", "task_id": "7392616336519610409"}'
    key = Credential(ACCESS, SECRET, "STSexampletoken==")

    headers, canonical = signature_of(
        "CVSync2AsyncGetResult", body, NOW + timedelta(seconds=5), key
    )

    assert headers["x-security-token"] == "STSexampletoken=="
    assert headers["x-content-sha256"] == (
        "e6f9470f3ebb5879e710c3b97c7be15168c5a2147fb6b0005b69b1c298516ab7"
    )
    assert canonical == "347c5c64a55b4f8a599368c0dc1f8d3a1822e44d8eacf5d2c8b67d31716c6e05"
    assert headers["authorization"] == (
        f"HMAC-SHA256 Credential={ACCESS}/20261120/cn-north-1/cv/request,"
        " SignedHeaders=content-type;host;x-content-sha256;x-date;x-security-token,"
        " Signature=5e67a0c4c18fe62327432f56c839540338044d1963865fac07efea1459710a65"
    )


def test_poll_is_signed_as_another_implementation_signs_it() -> None:
    channel = ChannelAccess(BASE_URL, SecretStr("AKTEST|SKTEST"))
    ref = UpstreamRef("abc", "jimeng_vgfm_t2v_l20")

    sent = JIMENG.poll([ref], channel, datetime(2024, 1, 15, 12, tzinfo=UTC)).request

    assert sent.method == "POST"
    assert str(sent.url) == f"{BASE_URL}/?Action=CVSync2AsyncGetResult&Version=2022-08-31"
    assert sent.content == b'{"req_key":"jimeng_vgfm_t2v_l20","task_id":"abc"}'
    assert sent.headers["x-date"] == "20240115T120000Z"
    assert sent.headers["x-content-sha256"] == (
        "2e83d6a6ed2aef0fb0dd7125abe5bad97718ec9bd6be63d52418921ea3133955"
    )
    assert sent.headers["authorization"] == (
        "HMAC-SHA256 Credential=AKTEST/20240115/cn-north-1/cv/request,"
        " SignedHeaders=content-type;host;x-content-sha256;x-date,"
        " Signature=5cbe194cc35a9fe8a0dcf34cbfc8f10d2c989caa3059aa6fe4f186977c0fef7a"
    )


@pytest.mark.parametrize(
    ("base_url", "host", "path"),
    [
        ("https://visual.example:443", "visual.example", "/"),
        ("http://visual.example:80", "visual.example", "/"),
        ("http://visual.example:443", "visual.example", "/"),
        ("http://visual.example:8080/a/", "visual.example:8080", "/a/"),
        ("http://[::1]:9/jimeng", "[::1]:9", "/jimeng/"),
    ],
)
def test_signs_the_host_and_path_that_are_requested(base_url: str, host: str, path: str) -> None:
    sent = JIMENG.poll([REF], access(base_url), NOW).request

    headers = {name: sent.headers[name] for name in ("x-content-sha256", "x-date")}
    lines = canonical_request(sent.url, headers)[0].split("\n")
    assert lines[1] == path == sent.url.path
    assert lines[3] == f"host:{host}"


def test_canonical_query_is_sorted_and_percent_encoded() -> None:
    url = httpx.URL(f"{BASE_URL}/?b=x%2fy&a=1%20+&a-~._=")

    canonical = canonical_request(url, {"x-content-sha256": "00"})[0]

    assert canonical.split("\n")[2] == "a=1%20%2B&a-~._=&b=x%2Fy"


def test_signs_in_utc_whatever_the_zone_of_the_clock() -> None:
    east = NOW.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+08:00").tzinfo)

    assert (
        JIMENG.poll([REF], access(), east).request.headers
        == JIMENG.poll([REF], access(), NOW).request.headers
    )


# Credential


@pytest.mark.parametrize("text", ["AK|SK", "AK|SK=/+|token==", f"{ACCESS}|{SECRET}"])
def test_takes_a_credential(text: str) -> None:
    JIMENG.check_credential(text)

    parts = text.split("|")
    assert parse_credential(text) == Credential(*parts)


@pytest.mark.parametrize(
    "text",
    ["", "secretive", "|", "secretive|", "|secretive", "a|b|", "a|b|c|d", "a b|c", "a|b\n", "é|b"],
)
def test_refuses_a_credential_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        JIMENG.check_credential(text)

    assert "ACCESS|SECRET" in str(caught.value)
    assert "secretive" not in str(caught.value)


def test_credential_has_no_secret_in_its_repr() -> None:
    assert SECRET not in repr(Credential(ACCESS, SECRET, "token"))


def test_refuses_a_base_url_that_is_none() -> None:
    with pytest.raises(ConfigurationError):
        JIMENG.poll([REF], access("https://visual.example:port"), NOW)
