"""Worked signatures, made with the official packages `volcengine` and `volcengine-python-sdk`."""

import hashlib
from datetime import datetime
from typing import cast

import pytest
from pydantic import SecretStr
from tests.support.api import FakeProvider, open_api

from vidgate.providers.jimeng import Jimeng
from vidgate.providers.jimeng.signing import signature_of, write_canonical

VECTORS = [
    pytest.param(
        "CVSync2AsyncSubmitTask",
        '{"req_key": "jimeng_t2v_v30", "prompt": "a paper boat on a river", "seed": -1,'
        ' "frames": 121, "aspect_ratio": "16:9"}',
        "20261120T080000Z",
        {},
        "d211fe55be35fca887e224ddd1549a466ea1a36b0fbc85ea2b22f57e85630a01",
        id="V1",
    ),
    pytest.param(
        "CVSync2AsyncGetResult",
        '{"req_key": "jimeng_ti2v_v30_pro", "task_id": "7392616336519610409"}',
        "20261120T080005Z",
        {"x-security-token": "STSexampletoken=="},
        "5e67a0c4c18fe62327432f56c839540338044d1963865fac07efea1459710a65",
        id="V2",
    ),
    pytest.param(
        "CVSync2AsyncSubmitTask",
        '{"req_key": "jimeng_i2v_first_tail_v30_1080", "prompt": "\\u5343\\u519b\\u4e07\\u9a6c", '
        '"image_urls": ["https://example.com/a.png", "https://example.com/b.png"], "seed": -1, '
        '"frames": 241}',
        "20261120T080010Z",
        {},
        "737a51edd34ea192ad9842322e00c1716c9a6e5331811005ebbabc3acc8e62a5",
        id="V3",
    ),
    pytest.param(
        "CVSync2AsyncSubmitTask",
        '{"req_key":"jimeng_i2v_first_tail_v30_1080","prompt":"千军万马","image_urls":'
        '["https://example.com/a.png","https://example.com/b.png"],"seed":-1,"frames":241}',
        "20261120T080010Z",
        {},
        "2b08a4ef177c7d5e8a402701787ea06bbdf6c06183f5f7165c25a649c69d3e2b",
        id="V3b",
    ),
    pytest.param(
        "CVSync2AsyncGetResult",
        '{"req_key":"jimeng_vgfm_t2v_l20","task_id":"abc"}',
        "20240115T120000Z",
        {},
        "5cbe194cc35a9fe8a0dcf34cbfc8f10d2c989caa3059aa6fe4f186977c0fef7a",
        id="V4",
    ),
]
KEYS = ("AKLTEXAMPLE0000000000000000000001", "U0tFWEFNUExFMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE=")


@pytest.mark.parametrize(("action", "body", "x_date", "token", "signature"), VECTORS)
async def test_worked_vectors(
    action: str, body: str, x_date: str, token: dict[str, str], signature: str
) -> None:
    access_key, secret = ("AKTEST", "SKTEST") if "l20" in body else KEYS
    query = f"Action={action}&Version=2022-08-31"
    headers = {
        "content-type": "application/json",
        "host": "visual.volcengineapi.com",
        "x-content-sha256": hashlib.sha256(body.encode()).hexdigest(),
        "x-date": x_date,
        **token,
    }
    names = sorted(headers)
    canonical = write_canonical(
        method="POST",
        path="/",
        query=query,
        headers=headers,
        names=names,
        digest=headers["x-content-sha256"],
    )
    headers["authorization"] = (
        f"HMAC-SHA256 Credential={access_key}/{x_date[:8]}/cn-north-1/cv/request,"
        f" SignedHeaders={';'.join(names)}, Signature={signature}"
    )

    async with open_api() as api:
        api.services.directory.access_keys[access_key] = SecretStr(secret)
        api.services.providers["jimeng"] = cast("FakeProvider", Jimeng())
        api.services.clock.time = datetime.strptime(x_date, "%Y%m%dT%H%M%S%z")
        answer = await api.client.post(f"/?{query}", content=body.encode(), headers=headers)

    assert signature_of(canonical, secret, x_date) == signature
    if token:
        assert answer.status_code == 401
        assert "InvalidSecretToken" in answer.text
    else:
        assert answer.status_code == 200, answer.text
