"""Shots for Kling's new generation: judged wherever a client wrote them, and before a call."""

from typing import Any

import pytest
from tests.support.kling import kling

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest

SEVEN = "shot 1, 3, a boat; shot 2, 4, the sea;"
"""Seconds; the vendor makes 5 where nobody says."""


def ask(model: str = "kling-3.0", words: str = "", **fields: Any) -> VideoRequest:
    return VideoRequest(model=model, prompt=words, **fields)


def shots(*seconds: int, words: str = "a boat") -> str:
    return " ".join(f"shot {number}, {each}, {words};" for number, each in enumerate(seconds, 1))


def contents(words: str) -> dict[str, Any]:
    return {"contents": [{"type": "prompt", "text": words}]}


@pytest.mark.parametrize(
    ("request_", "param", "said"),
    [
        (ask(words=SEVEN), "duration", "7 seconds together, and the video 5"),
        (ask("kling-3.0-turbo", SEVEN, duration_seconds=6), "duration", "the video 6"),
        (ask(metadata={"prompt": SEVEN}, duration_seconds=6), "duration", "the video 6"),
        (
            ask(metadata={"prompt": SEVEN, "settings": {"duration": 8}}),
            "settings.duration",
            "the video 8",
        ),
        (ask("kling-3.0-omni", metadata=contents(SEVEN)), "duration", "the video 5"),
        (ask("kling-3.0-omni", metadata=contents("shot 1, 0, a;")), "contents", "one second"),
        (ask(words=shots(3, 4)), "duration", "the video 5"),
        (ask(words=shots(3, 4), metadata={"duration": "6"}), "duration", "the video 6"),
        (ask(words=shots(*[1] * 7), duration_seconds=7), "prompt", "6 shots"),
        (ask(words=shots(0, 5)), "prompt", "one second"),
        (ask(words=shots(5, words="x" * 513)), "prompt", "512"),
    ],
)
def test_shots_that_cannot_be_made_are_refused(
    request_: VideoRequest, param: str, said: str
) -> None:
    with pytest.raises(UnsupportedParameterError, match=said) as caught:
        kling.translate(request_)

    assert caught.value.param == param


@pytest.mark.parametrize(
    "request_",
    [
        ask(words=SEVEN, duration_seconds=7),
        ask("kling-3.0-omni", metadata=contents(SEVEN), duration_seconds=7),
        ask(words=shots(3, 2)),
        ask(words=shots(5, words="x" * 512)),
        ask(words=SEVEN, metadata={"settings": {"multi_shot": False}}),  # words like any others
        ask("kling-2.6", SEVEN),
        ask("kling-9.0", SEVEN),
        ask(words=f"{SEVEN} and more"),
    ],
)
def test_shots_that_add_up_and_words_like_any_others_pass(request_: VideoRequest) -> None:
    assert kling.translate(request_).body
