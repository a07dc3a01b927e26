"""From a neutral request to Kling's words."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, ActionCapabilities, Translation
from vidgate.providers.kling.capabilities import RATIOS, TIER_OF_MODE, Traits, find_traits, pace_of
from vidgate.providers.kling.wire import Inputs, Overridden, Wire, Wish, wire_of
from vidgate.providers.merging import merge
from vidgate.providers.sizes import SizeFit, fit_size

__all__ = ["translate"]

_OURS = ("model", "model_name", "callback_url", "external_task_id")
"""Fields that never come from `metadata`: what runs, and what recovery rests on."""

_DEFAULT_RATIO = "16:9"
"""What an omni model is given where the vendor wants a ratio and the client named none."""

_RATIO_PRECISION = 0.005
"""Sizes are whole pixels: 854x480 is meant as 16:9."""


def translate(request: VideoRequest, *, map_retired_models: bool) -> Translation:
    """Put a request in Kling's words.

    Pictures become frames by their number, on omni models references. A last frame needs 1080p
    on 2.5 Turbo and 2.6, and gets it.

    Raises:
        UnsupportedParameterError: A generic field cannot be honoured.
    """
    traits = find_traits(request.model, map_retired_models=map_retired_models)
    wire = wire_of(traits)
    over = _vendor_fields(request.metadata)
    pictures = _pictures(request.images, traits, wire)
    inputs = wire.inputs(pictures, over, traits)
    overridden = wire.overridden(over, inputs, traits)
    capabilities = traits.action(inputs.action)

    fit = _fit(request, traits, capabilities, inputs, overridden)
    ratio = fit.ratio
    details: dict[str, Any] = {}
    if traits.is_omni and inputs.needs_ratio and ratio is None and not overridden.ratio:
        ratio = details["aspect_ratio"] = _DEFAULT_RATIO
    wish = Wish(
        prompt="" if overridden.prompt else _prompt(request, traits, inputs),
        pictures=pictures,
        duration=None if overridden.duration else _duration(request, capabilities),
        tier=None if overridden.tier else fit.tier or _only(capabilities.tiers),
        ratio=ratio,
    )
    body = merge(wire.write(wish, inputs, traits), over)
    if inputs.action is Action.TEXT and not wire.has_prompt(body, traits):
        raise UnsupportedParameterError("prompt", "A video from text alone needs a prompt.")

    ignored = _ignored(request, fit)
    adjusted = (fit.adjusted,) if fit.adjusted else ()
    if request.strict:
        _refuse_any(ignored, adjusted)
    facts = wire.facts(body, inputs, traits)
    told = {"resolution": facts.resolution} if facts.mode is None else {"mode": facts.mode}
    return Translation(
        endpoint=capabilities.endpoint,
        body=body,
        facts=facts,
        pace=pace_of(traits, facts.resolution),
        details=told | details,
        ignored=ignored,
        adjusted=adjusted,
    )


def _vendor_fields(metadata: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in metadata.items() if key not in _OURS}
    options = fields.get("options")
    if isinstance(options, Mapping):
        fields["options"] = {key: value for key, value in options.items() if key not in _OURS}
    elif options is not None:
        raise UnsupportedParameterError("options", "Kling's `options` must be an object.")
    return fields


def _pictures(images: Sequence[Image], traits: Traits, wire: Wire) -> tuple[str, ...]:
    allowed = range(max(action.images[1] for action in traits.actions.values()) + 1)
    if len(images) not in allowed:
        raise UnsupportedParameterError(
            "images",
            f"{traits.name} takes another number of pictures, not {len(images)}.",
            allowed=allowed,
        )
    return tuple(_picture(image, wire.max_image_bytes) for image in images)


def _picture(image: Image, max_bytes: int) -> str:
    """A URL as it is, bytes as bare base64: Kling takes no `data:` prefix."""
    if image.content is None:
        return image.url or ""
    if len(image.content) > max_bytes:
        raise UnsupportedParameterError(
            "images", f"Kling takes pictures of at most {max_bytes // 2**20} MB here; give a URL."
        )
    return base64.b64encode(image.content).decode("ascii")


def _prompt(request: VideoRequest, traits: Traits, inputs: Inputs) -> str:
    limit = traits.prompt_characters.get(inputs.action)
    if limit is not None and len(request.prompt) > limit:
        raise UnsupportedParameterError(
            "prompt",
            f"{traits.name} takes prompts of at most {limit} characters, "
            f"and this one has {len(request.prompt)}.",
        )
    return request.prompt


def _duration(request: VideoRequest, capabilities: ActionCapabilities) -> int | float | None:
    duration = request.duration_seconds
    if duration is None:
        return None
    if isinstance(duration, float) and duration.is_integer():
        duration = int(duration)
    if capabilities.durations and duration not in capabilities.durations:
        raise UnsupportedParameterError(
            "duration",
            "The model makes no video of that many seconds.",
            allowed=capabilities.durations,
        )
    return duration


def _fit(
    request: VideoRequest,
    traits: Traits,
    capabilities: ActionCapabilities,
    inputs: Inputs,
    overridden: Overridden,
) -> SizeFit:
    """Fit the size, but for what `metadata` says in its place."""
    is_pixels = request.width is not None and request.height is not None
    shape_is_said = overridden.ratio or (is_pixels and inputs.gives_shape)
    if shape_is_said and (overridden.tier or not is_pixels):
        return SizeFit()
    if not traits.is_known:
        return _fit_unknown(request, inputs, overridden)
    return fit_size(
        request,
        tiers=() if overridden.tier else capabilities.tiers,
        ratios=() if overridden.ratio else capabilities.ratios,
        has_frame=inputs.gives_shape,
    )


def _fit_unknown(request: VideoRequest, inputs: Inputs, overridden: Overridden) -> SizeFit:
    """A ratio goes out as it is; only a number of pixels has to be put in Kling's words."""
    width, height = request.width, request.height
    if width is None or height is None:
        if request.aspect_ratio is not None and inputs.gives_shape:
            return SizeFit(ignored=True)
        return SizeFit(ratio=request.aspect_ratio)
    fit = SizeFit()
    if not overridden.tier:
        fit = fit_size(request, tiers=tuple(TIER_OF_MODE.values()), ratios=(), has_frame=True)
    ratio = None
    if not (overridden.ratio or inputs.gives_shape):
        ratio = _ratio(width, height)
    return SizeFit(tier=fit.tier, ratio=ratio, adjusted=fit.adjusted)


def _ratio(width: int, height: int) -> str:
    for ratio in RATIOS:
        across, down = map(int, ratio.split(":"))
        if abs(width * down / (height * across) - 1) < _RATIO_PRECISION:
            return ratio
    divisor = math.gcd(width, height)
    return f"{width // divisor}:{height // divisor}"


def _only(tiers: Sequence[str]) -> str | None:
    return tiers[0] if len(tiers) == 1 else None


def _ignored(request: VideoRequest, fit: SizeFit) -> tuple[str, ...]:
    fields = {
        "size": fit.ignored,
        "fps": request.fps is not None,
        "seed": request.seed is not None,
        "user": request.user is not None,
    }
    return tuple(name for name, is_ignored in fields.items() if is_ignored)


def _refuse_any(ignored: Sequence[str], adjusted: Sequence[str]) -> None:
    for name in ignored:
        raise UnsupportedParameterError(name, f"The model has no use for `{name}`.")
    for change in adjusted:
        name, _, value = change.partition("=")
        raise UnsupportedParameterError(
            name, "The model can only come near to that size.", allowed=(value,)
        )
