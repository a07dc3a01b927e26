"""The adapter of OpenAI's format as its tests ask it."""

from functools import partial
from typing import Any, Final

import httpx
from pydantic import SecretStr
from tests.support import adapters
from tests.support.adapters import NOW, answer
from tests.support.calls import read_answer

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Outcome, Rejected, Submission, UpstreamRef
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import SubmitIds
from vidgate.providers.openai_compatible import OpenAICompatible

ADAPTER: Final = OpenAICompatible()
KEY: Final = "sk-key-of-the-channel"
ACCESS: Final = ChannelAccess("https://gate.test", SecretStr(KEY))
IDS: Final = SubmitIds(correlation="vg_0123456789abcdef")
REF: Final = UpstreamRef("video_1")
recorded = partial(adapters.recorded, "openai_compatible")


def reply(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    return answer(status, body, **headers)


def error(code: Any = None, *, type_: str = "t", param: Any = None, text: str = "no") -> Any:
    return {"error": {"message": text, "type": type_, "param": param, "code": code}}


def submitted(response: httpx.Response) -> Submission | Rejected:
    translation = ADAPTER.translate(VideoRequest(model="clip-1", prompt="a boat"))
    return read_answer(ADAPTER.submit(translation, ACCESS, IDS, NOW), response)


def polled(response: httpx.Response) -> Outcome:
    return read_answer(ADAPTER.poll([REF], ACCESS, NOW), response)[REF]
