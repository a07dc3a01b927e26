"""The signatures of callbacks, against the vectors of the vendors' pages."""

from email.utils import parsedate_to_datetime

import pytest

from vidgate.sandbox import kling_callbacks, vidu_callbacks

SECRET = "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="


def test_kling_signs_as_in_the_published_vector() -> None:
    body = (
        b'{"id":"1234567890","status":"succeeded","message":"","create_time":1781080778802,'
        b'"update_time":1781080794151}'
    )
    headers = kling_callbacks.signed_headers(SECRET, "9876543210", body, 1781080794.9, ())
    assert headers == {
        "webhook-id": "9876543210",
        "webhook-timestamp": "1781080794",
        "webhook-signature": "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4=",
    }


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ("", "lKjr3HmeplF6PVKaThtbEprXZ5PKFfaJxpFSwZkwH/Q="),
        ("?job=7f3a&tenant=acme", "+1WC0C5grVS2qYUtGVvcGV/QnEtd2IR3W6BVZiNKDDM="),
        ("?tenant=acme&job=7f3a", "SeYstk1cFSKlLjwGRyrn7EEwF6Wv1jD2XFinj/GGNsI="),
    ],
)
def test_vidu_signs_as_in_the_worked_example(query: str, signature: str) -> None:
    headers = vidu_callbacks.signed_headers(
        "vda_000000000000_exampleKeyForDocsOnly",
        f"https://svc.example.test/hooks/vidu{query}",
        "6f1c1d9e-3b8a-4c57-9d0e-2a4b5c6d7e8f",
        parsedate_to_datetime("Fri, 20 Nov 2026 08:30:00 GMT").timestamp(),
        (),
    )
    assert headers["Date"] == "Fri, 20 Nov 2026 08:30:00 GMT"
    assert headers["X-HMAC-SIGNATURE"] == signature
