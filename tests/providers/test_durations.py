"""A duration of 0 means an automatic one, and few models have that."""

import pytest

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Provider
from vidgate.providers.jimeng import Jimeng
from vidgate.providers.kling import Kling
from vidgate.providers.openai_compatible import OpenAICompatible
from vidgate.providers.vidu import Vidu

PICTURE = Image(url="https://a.example.test/1.jpg")


@pytest.mark.parametrize("duration", [0, 0.0])
@pytest.mark.parametrize(
    ("provider", "model", "pictures"),
    [
        (Kling(), "kling-v2-6", 0),
        (Kling(), "kling-unheard-of", 1),
        (Jimeng(), "jimeng_v30", 0),
        (Jimeng(), "jimeng_unheard_of", 1),
        (OpenAICompatible(), "sora-2", 0),
        (Vidu(), "viduq3-pro", 0),
        (Vidu(), "viduq2", 3),
        (Vidu(), "viduq2-pro", 1),
        (Vidu(), "vidu-unheard-of", 3),
        (Vidu(), "vidu-template", 1),
    ],
)
def test_no_length_is_refused_where_the_model_chooses_none(
    provider: Provider, model: str, pictures: int, duration: float
) -> None:
    request = VideoRequest(
        model=model,
        prompt="a paper boat",
        images=(PICTURE,) * pictures,
        duration_seconds=duration,
        metadata={"template": "hug"} if model == "vidu-template" else {},
    )

    with pytest.raises(UnsupportedParameterError) as caught:
        provider.translate(request)

    assert caught.value.param == "duration"
    assert "takes 0" in caught.value.message


def test_no_length_lets_a_model_choose_that_can() -> None:
    request = VideoRequest(
        model="viduq2-pro", prompt="a paper boat", images=(PICTURE,) * 3, duration_seconds=0
    )

    translation = Vidu().translate(request)

    assert translation.body["duration"] == 0
    assert translation.facts.duration_seconds is None
