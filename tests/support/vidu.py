"""Vidu's adapter as its tests ask it."""

from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import httpx
from pydantic import SecretStr
from tests.support import adapters
from tests.support.calls import read_answer

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Found, Rejected, Submission, UpstreamRef
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import LostSubmit, SubmitIds, Translation
from vidgate.providers.vidu import Vidu

DATA: Final = adapters.DATA / "vidu"
NOW: Final = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
SENT_AT: Final = datetime(2026, 11, 20, 8, 29, 40, 500_000, tzinfo=UTC)
KEY: Final = "vda_000000000000_exampleKeyForTestsOnly"
CHANNEL: Final = ChannelAccess("https://api.vidu.com", SecretStr(KEY))
IDS: Final = SubmitIds(correlation="att_01")
REF: Final = UpstreamRef("900000000000000001")
LOST: Final = LostSubmit(endpoint="/ent/v2/img2video", ids=IDS, sent_at=SENT_AT, ends_at=SENT_AT)
VIDU: Final = Vidu()
UNMAPPED: Final = Vidu(map_retired_models=False)

URLS: Final = [f"https://a.example.test/{number}.jpg" for number in range(16)]
PICTURES: Final = tuple(Image(url=url) for url in URLS)
VIDEO: Final = "https://a.example.test/v.mp4"
SPEECH: Final = "https://a.example.test/s.wav"
reply = partial(adapters.recorded, "vidu")


def ask(model: str, **fields: Any) -> VideoRequest:
    return VideoRequest(model=model, **{"prompt": "a paper boat", **fields})


def submit(translation: Translation | None = None, ids: SubmitIds = IDS) -> httpx.Request:
    translation = translation or VIDU.translate(ask("viduq1"))
    return VIDU.submit(translation, CHANNEL, ids, NOW).request


def read_submission(response: httpx.Response) -> Submission | Rejected:
    translation = VIDU.translate(ask("viduq1"))
    return read_answer(VIDU.submit(translation, CHANNEL, IDS, NOW), response)


def poll() -> httpx.Request:
    return VIDU.poll([REF], CHANNEL, NOW).request


def read_poll(response: httpx.Response) -> Any:
    return read_answer(VIDU.poll([REF], CHANNEL, NOW), response)[REF]


def find(page: Any = None) -> httpx.Request:
    return VIDU.find(LOST, CHANNEL, NOW, page=page).request


def read_find(response: httpx.Response, page: Any = None) -> Found:
    return read_answer(VIDU.find(LOST, CHANNEL, NOW, page=page), response)
