"""Jimeng's adapter as its tests ask it."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import httpx
from pydantic import SecretStr
from tests.support import adapters
from tests.support.adapters import answer
from tests.support.calls import read_answer

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import FaultKind, Outcome, Rejected, Submission, UpstreamRef
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Call, SubmitIds
from vidgate.providers.jimeng import Jimeng

DATA: Final = adapters.DATA / "jimeng"
NOW: Final = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
ACCESS: Final = "AKLTEXAMPLE0000000000000000000001"
SECRET: Final = "U0tFWEFNUExFMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDE="
BASE_URL: Final = "https://visual.volcengineapi.com"
JIMENG: Final = Jimeng()
IDS: Final = SubmitIds(correlation="attempt_1")
REF: Final = UpstreamRef("7512000000000000001", "jimeng_ti2v_v30_pro")
VIDEO_URL: Final = "https://v3-vvecloud.yangyi08.com/abc/video.mp4?a=7073&sig=%2Fx%3D"
reply = partial(adapters.recorded, "jimeng")

GATEWAY: Final = [
    (400, 100002, "MissingParameter", FaultKind.FAULT),
    (400, 100004, "MissingRequestInfo", FaultKind.FAULT),
    (400, 100006, "InvalidTimestamp", FaultKind.FAULT),
    (400, 100024, "InvalidAuthorization", FaultKind.CREDENTIAL),
    (400, 100025, "InvalidCredential", FaultKind.CREDENTIAL),
    (401, 100009, "InvalidAccessKey", FaultKind.CREDENTIAL),
    (401, 100010, "SignatureDoesNotMatch", FaultKind.CREDENTIAL),
    (401, 100026, "InvalidSecretToken", FaultKind.CREDENTIAL),
    (403, 100012, "LackPolicy", FaultKind.CREDENTIAL),
    (403, 100013, "AccessDenied", FaultKind.CREDENTIAL),
    (404, 100007, "ServiceNotFound", FaultKind.FAULT),
    (404, 100008, "InvalidActionOrVersion", FaultKind.FAULT),
    (429, 100018, "FlowLimitExceeded", FaultKind.RATE),
]


def access(base_url: str = BASE_URL, session_token: str = "") -> ChannelAccess:
    parts = [ACCESS, SECRET, session_token] if session_token else [ACCESS, SECRET]
    return ChannelAccess(base_url, SecretStr("|".join(parts)))


def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return data


def service_error(status: int, code: int, message: str = "said") -> httpx.Response:
    return answer(status, {"code": code, "data": None, "message": message, "request_id": "r1"})


def gateway_error(status: int, **error: Any) -> httpx.Response:
    return answer(status, {"ResponseMetadata": {"RequestId": "r1", "Error": error}})


def sent_submit(model: str = "jimeng_v30_pro") -> Call[Submission | Rejected]:
    translation = JIMENG.translate(VideoRequest(model=model, prompt="a boat"))
    return JIMENG.submit(translation, access(), IDS, NOW)


def submit(response: httpx.Response) -> Submission | Rejected:
    return read_answer(sent_submit(), response)


def poll(response: httpx.Response) -> Outcome:
    return read_answer(JIMENG.poll([REF], access(), NOW), response)[REF]
