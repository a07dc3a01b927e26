"""A request's size in Vidu's words: a resolution by its label, and an aspect ratio."""

from dataclasses import replace
from math import gcd

from vidgate.models.requests import VideoRequest
from vidgate.providers.draft import Draft
from vidgate.providers.fields import to_number
from vidgate.providers.sizes import SizeFit, fit_size
from vidgate.providers.vidu.choosing import Choice
from vidgate.providers.vidu.models import ANY_RATIO_SUBJECTS, LABELS, tiers_at

__all__ = ["to_size"]

_EXACT_RATIO = 0.005
"""Sizes are whole pixels: within half a percent 854x480 is meant as 16:9."""

_COMMON_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")


def to_size(draft: Draft, choice: Choice) -> SizeFit:
    """Find the resolution and the ratio, but for what the vendor fields say themselves.

    Raises:
        UnsupportedParameterError: The size is too far from anything a known model makes.
    """
    request, over, endpoint, takes = draft.request, draft.over, choice.endpoint, choice.capabilities
    ratio_free = "aspect_ratio" not in over
    if takes is None:
        fit = _verbatim_size(request, has_ratio=endpoint.has_ratio)
        return replace(fit, ignored=fit.ignored and ratio_free)
    ratios = takes.ratios
    has_pixels = request.width is not None
    if not endpoint.tier_field and not (ratios and ratio_free):
        return SizeFit(ignored=has_pixels or (request.aspect_ratio is not None and not ratios))
    if over.get("subjects") and choice.model in ANY_RATIO_SUBJECTS:
        ratios = _with_own_ratio(request, ratios)
    duration = to_number(over.get("duration", request.duration_seconds))
    tier_free = endpoint.tier_field and endpoint.tier_field not in over
    fit = fit_size(
        request,
        tiers=tiers_at(choice.model, takes, duration) if tier_free else (),
        ratios=ratios if ratio_free else (),
        has_frame=not endpoint.has_ratio,
    )
    if not endpoint.tier_field and has_pixels:
        # The resolution cannot be chosen.
        return replace(fit, adjusted=f"size={fit.ratio}")
    # Pixels are never in vain: the tier was used, or a vendor field gives a better one.
    return replace(fit, ignored=fit.ignored and not has_pixels and ratio_free)


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
