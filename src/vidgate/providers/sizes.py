"""Fitting a size in pixels to the tiers and ratios that a model takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest

__all__ = [
    "SizeFit",
    "exact_ratio",
    "fit_size",
    "is_of_tier",
    "nearest_tier",
    "ratio_value",
    "read_tier",
    "told_lower",
]

_TIER_PIXELS = {
    "360p": 360,
    "480p": 480,
    "540p": 540,
    "720p": 720,
    "1080p": 1080,
    "2k": 1440,
    "4k": 2160,
    "8k": 4320,
}
"""Length of the shorter side of a 16:9 picture of each tier."""

_TIER_BY_WORD = {
    word: tier for tier, side in _TIER_PIXELS.items() for word in (tier, str(side), f"{side}p")
}
_WIDESCREEN = 16 / 9
_AREA_TOLERANCE = 0.05
"""How far the area of a size may be from that of its tier: 1248x1664 is made as 1080p."""

_RATIO_TOLERANCE = 0.10
"""How far a shape may be from the nearest ratio and still be taken there."""

_SAME_RATIO = 0.005
"""Sizes are whole pixels: within half a percent 854x480 is meant as 16:9."""

_MOST_ABOVE = 1.5
"""How far, as a factor, a tier may be above the shorter side: 480 still becomes 720p."""

_MOST_BELOW = 1.03
"""The same the other way: 1088 is meant as 1080p, and nothing else may become less than it was."""


@dataclass(frozen=True, slots=True)
class SizeFit:
    """What a size became.

    Attributes:
        tier: One of the tiers offered, `None` where none was asked for or none is offered.
        ratio: One of the ratios offered, `None` as above.
        adjusted: Such as `size=1:1@720p`, empty when the size was met exactly.
        ignored: Whether a given size could not be used at all.
    """

    tier: str | None = None
    ratio: str | None = None
    adjusted: str = ""
    ignored: bool = False


def read_tier(value: object) -> str | None:
    """Read a tier, however it is spelt: `1080P`, `1080`, `4K`; `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return _TIER_BY_WORD.get(str(value).strip().lower())


def nearest_tier(tier: object, tiers: Sequence[str]) -> str | None:
    """The one of some tiers that is nearest to another; `None` where that is none."""
    wanted = read_tier(tier)
    if wanted is None or not tiers:
        return None
    side = _TIER_PIXELS[wanted]
    return min(tiers, key=lambda one: abs(math.log(_TIER_PIXELS[one.lower()] / side)))


def is_of_tier(width: int, height: int, tier: str) -> bool:
    """Whether a size and a tier can mean the same video."""
    side, short = _TIER_PIXELS[tier], min(width, height)
    area = width * height / (side * side * _WIDESCREEN)
    return 1 / _MOST_BELOW <= side / short <= _MOST_BELOW or abs(area - 1) <= _AREA_TOLERANCE


def told_lower(request: VideoRequest, tier: str | None) -> str:
    """What to say where a vendor field, which wins, makes less of a size; else empty.

    Args:
        request: Its width and height.
        tier: What is made, `None` where that is unknown.
    """
    made = read_tier(tier)
    if made is None or request.width is None or request.height is None:
        return ""
    is_lower = _TIER_PIXELS[made] < min(request.width, request.height)
    return (
        f"size={tier}" if is_lower and not is_of_tier(request.width, request.height, made) else ""
    )


def fit_size(
    request: VideoRequest, *, tiers: Sequence[str], ratios: Sequence[str], has_frame: bool
) -> SizeFit:
    """Take a request's size to a tier and a ratio.

    Args:
        request: Its width and height, or its tier and its aspect ratio.
        tiers: Those of the model; empty means that it cannot be chosen.
        ratios: Those of the model; empty means that the endpoint has no such field.
        has_frame: Whether a picture gives the shape, so that the size's shape says nothing.

    Raises:
        UnsupportedParameterError: The size is too far from anything the model makes.
    """
    if has_frame:
        ratios = ()
    width, height = request.width, request.height
    side, shape = _TIER_PIXELS.get(request.tier or ""), None
    has_pixels = width is not None and height is not None
    if width is not None and height is not None:
        side, shape = min(width, height), width / height
    elif request.aspect_ratio is not None:
        shape = ratio_value(request.aspect_ratio)
    tier, is_tier = _nearest_tier(side, tiers)
    ratio, is_ratio = _nearest_ratio(shape, ratios)
    # Pixels are told as a whole; of words only what is not met.
    told = [ratio if has_pixels or not is_ratio else None, tier]
    return SizeFit(
        tier=tier,
        ratio=ratio,
        adjusted="" if is_tier and is_ratio else "size=" + "@".join(filter(None, told)),
        ignored=shape is not None and not ratios and not (has_pixels and tiers),
    )


def _nearest_tier(short_side: int | None, tiers: Sequence[str]) -> tuple[str | None, bool]:
    """Find the tier that is meant, or the next one up; never a lower one."""
    if short_side is None or not tiers:
        return None, True

    def factor(tier: str) -> float:
        return _TIER_PIXELS[tier.lower()] / short_side

    # A hair of tolerance, so that 480 to 720, exactly the factor, is not lost to rounding.
    near = [tier for tier in tiers if 1 / _MOST_BELOW <= factor(tier) <= _MOST_ABOVE + 1e-9]
    if not near:
        raise UnsupportedParameterError(
            "size", f"The model makes no video {short_side} pixels high.", allowed=tiers
        )
    tier = min(near, key=factor)
    return tier, factor(tier) == 1


def _nearest_ratio(value: float | None, ratios: Sequence[str]) -> tuple[str | None, bool]:
    if value is None or not ratios:
        return None, True

    def distance(ratio: str) -> float:
        return abs(value / ratio_value(ratio) - 1)

    ratio = min(ratios, key=distance)
    if distance(ratio) > _RATIO_TOLERANCE:
        raise UnsupportedParameterError(
            "size", "The model makes no video of that shape.", allowed=ratios
        )
    return ratio, distance(ratio) < _SAME_RATIO


def exact_ratio(width: int, height: int, ratios: Sequence[str] = ()) -> str:
    """Say a size as one of the ratios if it is one, else as the ratio that it has."""
    for ratio in ratios:
        if abs(width / height / ratio_value(ratio) - 1) < _SAME_RATIO:
            return ratio
    divisor = math.gcd(width, height)
    return f"{width // divisor}:{height // divisor}"


def ratio_value(ratio: str) -> float:
    """Width over height, of a ratio such as `16:9`."""
    width, height = ratio.split(":")
    return float(width) / float(height)
