"""Fitting sizes: exact, near, and too far off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.sizes import SizeFit, fit_size, nearest_tier

TIERS = ("720p", "1080p")
RATIOS = ("16:9", "9:16", "1:1")


def fit(
    width: int | None = None,
    height: int | None = None,
    ratio: str | None = None,
    *,
    tiers: tuple[str, ...] = TIERS,
    ratios: tuple[str, ...] = RATIOS,
    has_frame: bool = False,
) -> SizeFit:
    request = VideoRequest(model="m", width=width, height=height, aspect_ratio=ratio)
    return fit_size(request, tiers=tiers, ratios=ratios, has_frame=has_frame)


@pytest.mark.parametrize(
    ("width", "height", "tier", "ratio", "adjusted"),
    [
        (1920, 1080, "1080p", "16:9", ""),
        (1080, 1920, "1080p", "9:16", ""),
        (1280, 720, "720p", "16:9", ""),
        (720, 720, "720p", "1:1", ""),
        (1248, 720, "720p", "16:9", "size=16:9@720p"),
        (854, 480, "720p", "16:9", "size=16:9@720p"),
        (480, 480, "720p", "1:1", "size=1:1@720p"),
        (1000, 1000, "1080p", "1:1", "size=1:1@1080p"),
        (721, 721, "720p", "1:1", "size=1:1@720p"),
        (741, 741, "720p", "1:1", "size=1:1@720p"),
        (742, 742, "1080p", "1:1", "size=1:1@1080p"),
        (1112, 1112, "1080p", "1:1", "size=1:1@1080p"),
        (1920, 1088, "1080p", "16:9", "size=16:9@1080p"),
    ],
)
def test_a_size_in_pixels(width: int, height: int, tier: str, ratio: str, adjusted: str) -> None:
    assert fit(width, height) == SizeFit(tier=tier, ratio=ratio, adjusted=adjusted)


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (320, 320),
        (470, 470),
        (1113, 1113),
        (1440, 1440),
        (3840, 2160),
        (720, 2160),
        (1, 1),
        (1, 16384),
        (16384, 16384),
    ],
)
def test_a_size_that_is_too_far_off(width: int, height: int) -> None:
    with pytest.raises(UnsupportedParameterError) as caught:
        fit(width, height)

    assert caught.value.param == "size"
    assert caught.value.allowed in (TIERS, RATIOS)


@pytest.mark.parametrize(
    ("asked", "ratio", "adjusted"),
    [
        ("16:9", "16:9", ""),
        ("32:18", "16:9", ""),
        ("17:9", "16:9", "size=16:9"),
        ("1:1", "1:1", ""),
        ("10:9", None, ""),
        ("5:1", None, ""),
    ],
)
def test_a_shape(asked: str, ratio: str | None, adjusted: str) -> None:
    if ratio is None:
        with pytest.raises(UnsupportedParameterError):
            fit(ratio=asked)
    else:
        assert fit(ratio=asked) == SizeFit(ratio=ratio, adjusted=adjusted)


def test_nothing_asked_is_nothing_fitted() -> None:
    assert fit() == SizeFit()
    assert fit(width=1920) == SizeFit()


def test_a_first_frame_gives_the_shape() -> None:
    assert fit(1080, 1920, has_frame=True) == SizeFit(tier="1080p")
    assert fit(ratio="9:16", has_frame=True) == SizeFit(ignored=True)
    assert fit(5000, 1080, has_frame=True) == SizeFit(tier="1080p")


def test_what_cannot_be_chosen_is_ignored() -> None:
    assert fit(1920, 1080, tiers=(), ratios=()) == SizeFit(ignored=True)
    assert fit(1920, 1080, tiers=()) == SizeFit(ratio="16:9")
    assert fit(1920, 1080, ratios=()) == SizeFit(tier="1080p")
    assert fit(ratio="16:9", ratios=()) == SizeFit(ignored=True)


@pytest.mark.parametrize(
    ("height", "tier"), [(1440, "2K"), (2160, "4K"), (4320, "8K"), (540, "540p"), (360, "360p")]
)
def test_every_tier_is_known_by_its_height(height: int, tier: str) -> None:
    tiers = ("360p", "540p", "720p", "1080p", "2K", "4K", "8K")

    assert fit(height * 16 // 9, height, tiers=tiers) == SizeFit(tier=tier, ratio="16:9")


@given(width=st.integers(1, 16384), height=st.integers(1, 16384))
def test_a_size_is_met_adjusted_or_refused(width: int, height: int) -> None:
    try:
        found = fit(width, height)
    except UnsupportedParameterError:
        return

    assert found.tier in TIERS
    assert found.ratio in RATIOS
    pixels = {"720p": 720, "1080p": 1080}[found.tier or ""]
    assert 1 / 1.51 < min(width, height) / pixels <= 1.03
    if not found.adjusted:
        assert min(width, height) == pixels


@pytest.mark.parametrize(
    ("tier", "tiers", "nearest"),
    [
        ("720p", ["480p", "720p"], "720p"),
        ("1080p", ["480p", "720p"], "720p"),
        ("4K", ["720p", "1080p", "2K"], "2K"),
        ("720p", [], None),
        ("pro", ["720p"], None),
        (None, ["720p"], None),
    ],
)
def test_the_nearest_tier(tier: str | None, tiers: list[str], nearest: str | None) -> None:
    assert nearest_tier(tier, tiers) == nearest
