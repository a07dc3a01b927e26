"""The Vidu adapter: the signature of callbacks, against the worked vectors and forgeries."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from vidgate.exceptions import CallbackRefusedError
from vidgate.models.channels import ChannelAccess
from vidgate.providers.base import Callback
from vidgate.providers.vidu import Vidu

VIDU = Vidu()
KEY = "vda_000000000000_exampleKeyForDocsOnly"
CHANNEL = ChannelAccess("https://api.vidu.com", SecretStr(KEY))
NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
DATE = "Fri, 20 Nov 2026 08:30:00 GMT"
NONCE = "6f1c1d9e-3b8a-4c57-9d0e-2a4b5c6d7e8f"
URL = "https://svc.example.test/hooks/vidu"

PLAIN = "lKjr3HmeplF6PVKaThtbEprXZ5PKFfaJxpFSwZkwH/Q="
QUERY = "+1WC0C5grVS2qYUtGVvcGV/QnEtd2IR3W6BVZiNKDDM="
QUERY_TURNED = "SeYstk1cFSKlLjwGRyrn7EEwF6Wv1jD2XFinj/GGNsI="
NO_LAST_NEWLINE = "FNvxC7Wr/4msopNVnkXnJJJ3UD3mnr8IdG0h8waQCbU="
WRONG_SECRET = "0y0XqTMLOsvLDPsfToxS3cxs7bVcMVx2eOaVKAVMFHo="
DOCUMENTED_SAMPLE = "Mv9u2WBEHXQWM2Wws8wVvrSZGAMF2OFisowBuk1BgjU="

SIGNED = {
    "date": DATE,
    "x-request-nonce": NONCE,
    "x-hmac-signed-headers": "Date;x-request-nonce",
    "x-hmac-signature": PLAIN,
    "x-hmac-algorithm": "hmac-sha256",
    "x-hmac-access-key": "vidu",
}


def callback(
    url: str = URL,
    *,
    method: str = "POST",
    received_at: datetime = NOW,
    body: bytes = b"{}",
    **headers: str,
) -> Callback:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Callback(
        method=method, url=url, headers={**SIGNED, **given}, body=body, received_at=received_at
    )


def check(called: Callback, channel: ChannelAccess = CHANNEL) -> None:
    VIDU.check_callback(called, channel, None)


def sign(*lines: str, key: str = KEY) -> str:
    text = "".join(f"{line}\n" for line in lines)
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (URL, PLAIN),
        (f"{URL}?job=7f3a&tenant=acme", QUERY),
        (f"{URL}?tenant=acme&job=7f3a", QUERY_TURNED),
        # The vendor may sort what we gave unsorted.
        (f"{URL}?tenant=acme&job=7f3a", QUERY),
    ],
)
def test_worked_vectors(url: str, signature: str) -> None:
    check(callback(url, x_hmac_signature=signature))


def test_the_documented_sample() -> None:
    check(
        callback(
            "https://svc.example.test/vidu/callback?name=james&age=36",
            received_at=datetime(2025, 5, 6, 12, 9, 42, tzinfo=UTC),
            date="Tue, 06 May 2025 12:09:42 GMT",
            x_request_nonce="123e4567-e89b-12d3-a456-426614174000",
            x_hmac_signature=DOCUMENTED_SAMPLE,
        )
    )


@pytest.mark.parametrize("signature", [NO_LAST_NEWLINE, WRONG_SECRET, PLAIN, QUERY_TURNED])
def test_worked_vectors_that_are_wrong(signature: str) -> None:
    with pytest.raises(CallbackRefusedError):
        check(callback(f"{URL}?job=7f3a&tenant=acme", x_hmac_signature=signature))


def test_the_body_is_not_signed() -> None:
    check(callback(body=b'{"state": "success"}'))


@pytest.mark.parametrize("name", SIGNED)
def test_each_of_six_headers_is_needed(name: str) -> None:
    for value in ({}, {name: ""}):
        headers = {key: text for key, text in SIGNED.items() if key != name} | value
        with pytest.raises(CallbackRefusedError, match=name):
            check(Callback(method="POST", url=URL, headers=headers, body=b"", received_at=NOW))


@pytest.mark.parametrize(
    "called",
    [
        callback(x_hmac_algorithm="hmac-sha1"),
        callback(x_hmac_algorithm="HMAC-SHA256"),
        callback(x_hmac_access_key="other"),
        callback(x_hmac_signature="?"),
        callback(x_hmac_signature="\u00e9"),
        callback(x_hmac_signature=PLAIN[:-4]),
        callback(x_request_nonce="other"),
        callback(date="Fri, 20 Nov 2026 08:30:01 GMT"),
        callback(date="soon"),
        callback(date="Fri, 99 Nov 2026 08:30:00 GMT"),
        callback(date="\udcff"),
        callback(method="PUT"),
        callback("https://svc.example.test/hooks/other"),
        callback(f"{URL}?more=1"),
        callback(x_hmac_signed_headers="Date;" * 30 + "x-request-nonce"),
        callback(x_hmac_signed_headers="Date;x-request-nonce;x-other"),
    ],
)
def test_what_is_signed_otherwise_is_refused(called: Callback) -> None:
    with pytest.raises(CallbackRefusedError):
        check(called)


@pytest.mark.parametrize(
    "names", ["Date", "x-request-nonce", ";", "x-request-nonce;x-request-nonce"]
)
def test_date_and_nonce_must_be_signed_even_if_the_signature_is_right(names: str) -> None:
    lines = [f"{name}:{SIGNED.get(name.lower(), '')}" for name in names.split(";")]
    signature = sign("POST", "/hooks/vidu", "", "vidu", DATE, *lines)
    with pytest.raises(CallbackRefusedError, match="nonce"):
        check(callback(x_hmac_signed_headers=names, x_hmac_signature=signature))


def test_names_are_spelled_and_ordered_as_in_the_list() -> None:
    names = "X-Request-Nonce;date;Content-Type"
    lines = (f"X-Request-Nonce:{NONCE}", f"date:{DATE}", "Content-Type:application/json")
    signature = sign("POST", "/hooks/vidu", "", "vidu", DATE, *lines)
    check(
        callback(
            x_hmac_signed_headers=names,
            x_hmac_signature=signature,
            content_type="application/json",
        )
    )


def test_an_address_without_a_path_is_signed_as_a_slash() -> None:
    lines = (f"Date:{DATE}", f"x-request-nonce:{NONCE}")
    signature = sign("POST", "/", "", "vidu", DATE, *lines)
    check(callback("https://svc.example.test", x_hmac_signature=signature))


def test_a_query_that_is_sorted_and_encoded_anew() -> None:
    lines = (f"Date:{DATE}", f"x-request-nonce:{NONCE}")
    signature = sign("POST", "/hooks/vidu", "a=2%3A&b=1", "vidu", DATE, *lines)
    check(callback(f"{URL}?b=1&a=2:", x_hmac_signature=signature))


@pytest.mark.parametrize("age", [timedelta(minutes=5), timedelta(minutes=-5), timedelta()])
def test_within_five_minutes(age: timedelta) -> None:
    check(callback(received_at=NOW + age))


@pytest.mark.parametrize(
    "age", [timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1)]
)
def test_five_minutes_are_over(age: timedelta) -> None:
    with pytest.raises(CallbackRefusedError, match="old"):
        check(callback(received_at=NOW + age))


def test_another_key_is_refused_and_the_channels_own_is_what_counts() -> None:
    other = ChannelAccess("https://api.vidu.com", SecretStr("vda_1_other"))
    with pytest.raises(CallbackRefusedError) as caught:
        check(callback(), other)
    assert KEY not in str(caught.value)
    VIDU.check_callback(callback(), CHANNEL, SecretStr("unused"))
