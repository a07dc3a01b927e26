"""What is charged follows what is run: the bill of what the adapters make of requests."""

from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

import pytest
from tests.support.adapters import ADAPTERS
from tests.support.vidu import PICTURES

from vidgate.exceptions import PriceMissingError, UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.services.money.price_book import shipped
from vidgate.services.money.pricing import Pricing, Run

CNY = {"CNY": Fraction("7.1")}
PICTURE, OTHER = (Image(url=f"https://pictures.example/{name}.png") for name in "ab")


def micros(model: str, *images: Image, seconds: float | None = None, **metadata: Any) -> int:
    request = VideoRequest(
        model=model, prompt="a boat", images=images, duration_seconds=seconds, metadata=metadata
    )
    provider = next(
        one
        for one in ADAPTERS.values()
        if any(fnmatchcase(model, pattern) for pattern in one.capabilities.model_patterns)
    )
    pricing = Pricing(shipped(), version=1, currency="USD", exchange=CNY, refuses_unpriced=True)
    return pricing.quote(Run.of_facts(provider.translate(request).facts)).micros()


VOICE = {"sound": "on", "mode": "pro", "voice_list": [{"voice_id": "1"}]}
FILM = {
    "type": "video_url",
    "video_url": {"url": "https://v.example/a.mp4"},
    "role": "reference_video",
}
VIDEO = {"video_list": [{"video_url": "https://v.example/a.mp4", "refer_type": "base"}]}

BILLS: dict[str, tuple[int, str, tuple[Image, ...], float | None, dict[str, Any]]] = {
    "k04": (350_000, "kling-v1-6", (PICTURE, OTHER), 5, {}),
    "k14": (560_000, "kling-v3-turbo", (), None, {}),
    "k25": (420_000, "kling-v2-6", (), 5, {"duration": "10"}),
    "mode": (350_000, "kling-v2-5-turbo", (), 5, {"mode": "pro"}),
    "sound": (700_000, "kling-v2-6", (PICTURE,), 5, {"sound": "on", "mode": "pro"}),
    "voice": (840_000, "kling-v2-6", (PICTURE,), 5, VOICE),
    "4k": (2_100_000, "kling-v3", (), 5, {"mode": "4k"}),
    "video, as long as it is": (1_680_000, "kling-v3-omni", (), None, VIDEO),
    "new generation": (
        840_000,
        "kling-3.0",
        (),
        5,
        {"settings": {"resolution": "1080p", "audio": "native"}},
    ),
    "frames": (394_366, "jimeng_t2v_v30", (), None, {"frames": 241}),
    "tier": (443_662, "jimeng_t2v_v30_1080p", (), 5, {}),
    "text": (500_000, "viduq3-pro", (), 5, {}),
    "image": (500_000, "viduq3-pro", PICTURES[:1], 5, {}),
    "off-peak": (250_000, "viduq3-pro", (), 5, {"off_peak": True}),
    "resolution": (600_000, "viduq3-pro", (), 5, {"resolution": "1080p"}),
    "recommended": (550_000, "viduq3-pro", PICTURES[:1], 5, {"is_rec": True}),
    "tokens": (767_109, "dreamina-seedance-2-0-260128", (), 5, {}),
    "tokens of a video": (1_873_205, "dreamina-seedance-2-0-260128", (), 5, {"content": [FILM]}),
    "slow": (308_550, "seedance-1-0-pro-250528", (), 5, {"service_tier": "flex"}),
    "length": (1_000_000, "viduq3-pro", (), 5, {"duration": 10}),
}


@pytest.mark.parametrize("name", BILLS)
def test_the_bill_follows_what_is_run(name: str) -> None:
    expected, model, images, seconds, metadata = BILLS[name]

    assert micros(model, *images, seconds=seconds, **metadata) == expected


REFUSED: dict[str, tuple[str, tuple[Image, ...], dict[str, Any]]] = {
    "x01": ("kling-v2-6", (), {"sound": "on", "mode": "std"}),
    "x05": ("viduq3-mix", PICTURES[:1], {"off_peak": True}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_vendor_does_not_offer_is_refused_before_any_price(name: str) -> None:
    model, images, metadata = REFUSED[name]

    with pytest.raises(UnsupportedParameterError):
        micros(model, *images, seconds=5, **metadata)


def test_an_unknown_model_has_no_price() -> None:
    with pytest.raises(PriceMissingError):
        micros("kling-v99")
