"""Which of a server's sentences a client may read."""

from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.adapters import NOW
from tests.support.calls import read_answer
from tests.support.compatible import ADAPTER, error, reply, submitted

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Fault, Rejected
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import SubmitIds


def refused(status: int = 400, **members: Any) -> Fault:
    rejected = submitted(reply(error("invalid_value", **members), status))
    assert isinstance(rejected, Rejected)
    return rejected.fault


@pytest.mark.parametrize(
    "text",
    [
        "The model takes other lengths. Allowed: 5, 10.",
        "seconds must be one of: 4, 8, 12",
        "size must be one of 1280x720, 720x1280 (got '1x1').",
        "The ratio is not possible. Allowed: 16:9, 9:16, 1:1.",
        "metadata.mode must be std or pro.",
        "kling-v2-1-master has no sound; kling-v2.6 has.",
        "时长只能是 5 或 10 秒。",
    ],
)
def test_what_a_server_takes_is_passed_on(text: str) -> None:
    fault = refused(param="seconds", text=text)

    assert (fault.safe_message, fault.param) == (text, "seconds")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no " * 67 + "no",
        "Bad value.\nTraceback (most recent call last)",
        "Bad value, see https://docs.gate.test/videos",
        "Bad value, see docs.gate.test",
        "Bad value at kling-proxy.internal:8080",
        "Bad value at redis:6379",
        "Bad value at 10.0.0.1",
        "Bad value at fe80::1",
        "Bad value at /srv/app",
        "Bad value for sk-abcdefgh12345",
        "Bad value for sk-key-of-the-channel",
        "Bad value for sk-x",
        "Bad value for me@gate",
        "Bad value in task_01k9zzzzzzzzzzzzzzzzzzzzzz",
        "Bad value in video_1",
        "Bad value in 930000000000000003",
        "Bad value in 0b5c1f2e-9d3a",
        "Bad value in AbCdEfGhIjKlMnOpQrStUvWx",
        "Bad value in request 68d7512d0784",
        "Your account may not use this value.",
        "No channel takes this value.",
        "Bad value (request id: [key])",
        "<script>{}",
        "Bad value at gate.test",
    ],
)
def test_what_may_tell_too_much_is_not(text: str) -> None:
    assert refused(param="seconds", text=text).safe_message == (
        "The provider refused the value of seconds."
    )


@pytest.mark.parametrize("text", ["Bad value at Gateway", "Bad value with SHORT in it"])
def test_the_channel_s_own_words_are_not(text: str) -> None:
    channel = ChannelAccess("http://gateway:3000", SecretStr("short"))
    translation = ADAPTER.translate(VideoRequest(model="clip-1", prompt="a boat"))
    call = ADAPTER.submit(translation, channel, SubmitIds(correlation="vg_1"), NOW)

    rejected = read_answer(call, reply(error("invalid_value", param="seconds", text=text), 400))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.safe_message == "The provider refused the value of seconds."


def test_it_is_about_a_field_or_it_is_not_passed_on() -> None:
    assert refused(param=None, text="Allowed: 5, 10.").safe_message == ""
    assert refused(status=422, param="seconds", text="Allowed: 5, 10.").safe_message == (
        "The provider refused the value of seconds."
    )


def test_the_reason_of_another_fault_is_not_passed_on() -> None:
    rejected = submitted(reply(error("model_not_found", param="model", text="No."), 400))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.safe_message == ""
