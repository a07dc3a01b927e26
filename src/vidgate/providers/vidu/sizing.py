"""A request's size in Vidu's words: a resolution by its label, and an aspect ratio."""

from collections.abc import Mapping
from math import gcd
from typing import Any

from vidgate.models.requests import VideoRequest
from vidgate.providers.base import ActionCapabilities
from vidgate.providers.fields import to_number
from vidgate.providers.sizes import SizeFit, fit_size
from vidgate.providers.vidu.choosing import Choice
from vidgate.providers.vidu.models import ANY_RATIO_SUBJECTS, LABELS, tiers_at

__all__ = ["to_size"]

_EXACT_RATIO = 0.005
"""Sizes are whole pixels: within half a percent 854x480 is meant as 16:9."""

_COMMON_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")


def to_size(request: VideoRequest, metadata: Mapping[str, Any], choice: Choice) -> SizeFit:
    """Find the resolution and the ratio, but for what `metadata` says itself.

    Raises:
        UnsupportedParameterError: The size is too far from anything a known model makes.
    """
    endpoint = choice.endpoint
    ratio_free = "aspect_ratio" not in metadata
    tier_free = endpoint.tier_field not in metadata
    if choice.capabilities is None:
        fit = _verbatim_size(request, has_ratio=endpoint.has_ratio)
        return SizeFit(
            tier=fit.tier if tier_free else None,
            ratio=fit.ratio if ratio_free else None,
            ignored=fit.ignored and ratio_free,
        )
    if not endpoint.tier_field:
        return _shape_alone(request, choice.capabilities, ratio_free=ratio_free)
    duration = to_number(metadata.get("duration", request.duration_seconds))
    ratios = choice.capabilities.ratios
    if metadata.get("subjects") and choice.model in ANY_RATIO_SUBJECTS:
        ratios = _with_own_ratio(request, ratios)
    fit = fit_size(
        request,
        tiers=tiers_at(choice.model, choice.capabilities, duration) if tier_free else (),
        ratios=ratios if ratio_free else (),
        has_frame=not endpoint.has_ratio,
    )
    # Pixels are never in vain: the tier was used, or `metadata` gives a better one.
    in_vain = fit.ignored and request.width is None and ratio_free
    return SizeFit(tier=fit.tier, ratio=fit.ratio, adjusted=fit.adjusted, ignored=in_vain)


def _shape_alone(
    request: VideoRequest, capabilities: ActionCapabilities, *, ratio_free: bool
) -> SizeFit:
    """Fit a size where the resolution cannot be chosen."""
    has_pixels = request.width is not None and request.height is not None
    if not capabilities.ratios or not ratio_free:
        return SizeFit(
            ignored=has_pixels or (request.aspect_ratio is not None and not capabilities.ratios)
        )
    fit = fit_size(request, tiers=(), ratios=capabilities.ratios, has_frame=False)
    return SizeFit(ratio=fit.ratio, adjusted=f"size={fit.ratio}" if has_pixels else fit.adjusted)


def _verbatim_size(request: VideoRequest, *, has_ratio: bool) -> SizeFit:
    """Write a size for a model we do not know: nothing is fitted, the provider judges."""
    ratios = _with_own_ratio(request, ()) if has_ratio else ()
    ratio = ratios[0] if ratios else None
    if request.width is None or request.height is None:
        return SizeFit(ratio=ratio, ignored=request.aspect_ratio is not None and not has_ratio)
    side = min(request.width, request.height)
    return SizeFit(tier=LABELS.get(side, f"{side}p"), ratio=ratio)


def _with_own_ratio(request: VideoRequest, ratios: tuple[str, ...]) -> tuple[str, ...]:
    """The ratios, and the one that is asked for where none of them is it."""
    if request.width is None or request.height is None:
        asked = request.aspect_ratio
        return ratios if asked is None or asked in ratios else (*ratios, asked)
    value = request.width / request.height
    for ratio in ratios or _COMMON_RATIOS:
        width, height = ratio.split(":")
        if abs(value * int(height) / int(width) - 1) < _EXACT_RATIO:
            return ratios or (ratio,)
    divisor = gcd(request.width, request.height)
    return (*ratios, f"{request.width // divisor}:{request.height // divisor}")
