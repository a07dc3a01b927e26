"""From a neutral request to Kling's words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, ActionCapabilities, RunFacts, Translation
from vidgate.providers.draft import merge, refuse_zero
from vidgate.providers.kling.choosing import ACTION, NO_MULTI_IMAGE, Route, find_route
from vidgate.providers.kling.foreign import idle_fields, refuse_foreign_fields
from vidgate.providers.kling.judging import judge
from vidgate.providers.kling.media import bare_media, check_inline
from vidgate.providers.kling.models import (
    MODE_OF_TIER,
    PRODUCT_NAMES,
    RATIOS,
    RETIRED,
    SUCCESSOR,
    TIER_OF_MODE,
    Product,
    Traits,
    pace_of,
)
from vidgate.providers.kling.rules import check_rules, has_own_shots, narrow
from vidgate.providers.kling.wire import Inputs, Overridden, Wish
from vidgate.providers.kling.words import refuse_foreign
from vidgate.providers.pieces import encode_base64
from vidgate.providers.sizes import SizeFit, fit_size, told_lower

__all__ = ["translate"]

_OURS_IN_OPTIONS = ("callback_url", "external_task_id")
_OURS = ("model", "model_name", *_OURS_IN_OPTIONS, ACTION)
"""Fields that never come from `metadata`: what runs, and what recovery rests on."""

_DEFAULT_RATIO = "16:9"
"""What an omni model is given where the vendor wants a ratio and the client named none."""

_RATIO_PRECISION = 0.005
"""Sizes are whole pixels: 854x480 is meant as 16:9."""


def translate(request: VideoRequest, *, map_retired_models: bool) -> Translation:
    """Put a request in Kling's words.

    Pictures become frames by their number, on omni models references. A last frame, and sound on
    2.6, need 1080p on 2.5 Turbo and 2.6, and get it.

    Raises:
        UnsupportedParameterError: A generic field cannot be honoured.
    """
    refuse_zero(request)
    over = _vendor_fields(request.metadata)
    route = find_route(request, over, map_retired_models=map_retired_models)
    over = bare_media(over, route.wire.max_image_bytes)
    if route.path is not None:
        return _as_written(over, route, route.path, _replaced(request, route.traits))
    traits, wire, as_frames = route.traits, route.wire, route.as_frames
    pictures = _pictures(request, route)
    written = over
    wire, over = wire.hear(over, traits, route.product)
    inputs = wire.inputs(pictures, over, traits, as_frames=as_frames)
    route.check(inputs.action)
    overridden = wire.overridden(over, inputs, traits)
    check_rules(request, traits, inputs, over, overridden)
    capabilities = narrow(traits, inputs, traits.action(inputs.action))
    uses_duration = _uses_duration(route, capabilities)

    fit = _fit(request, traits, capabilities, inputs, overridden)
    ratio = fit.ratio
    details: dict[str, Any] = {ACTION: inputs.action.value}
    if traits.is_omni and inputs.needs_ratio and ratio is None and not overridden.ratio:
        ratio = details["aspect_ratio"] = _DEFAULT_RATIO
    uses_prompt = wire.has_prompt and not has_own_shots(traits, over)
    only = None if overridden.tier or fit.tier else _only(capabilities.tiers)
    wish = Wish(
        prompt="" if overridden.prompt or not uses_prompt else _prompt(request, capabilities),
        pictures=pictures,
        duration=_duration(request, capabilities, route.product)
        if uses_duration and not overridden.duration
        else None,
        tier=None if overridden.tier else fit.tier or only,
        ratio=ratio,
        as_frames=as_frames,
    )
    taken, rest = wire.take(over)
    body = merge(wire.write(wish, inputs, traits, taken), rest)
    wire.check(body, inputs, traits)
    judge(
        body,
        written,
        inputs=inputs,
        traits=traits,
        product=route.product,
        offered=capabilities,
    )
    refuse_foreign_fields(over, body, traits, route.product)

    fields = {
        "size": fit.ignored,
        "prompt": bool(request.prompt) and not uses_prompt and not overridden.prompt,
        "duration": request.duration_seconds is not None
        and not uses_duration
        and not overridden.duration,
        "fps": request.fps is not None,
        "seed": request.seed is not None,
        "user": request.user is not None,
    }
    named = (name for name, is_ignored in fields.items() if is_ignored)
    ignored = tuple(dict.fromkeys((*named, *idle_fields(body, inputs, traits, route.product))))
    facts = wire.facts(body, inputs, traits)
    lower = told_lower(request, facts.resolution) if overridden.tier else ""
    changes = (_replaced(request, traits), lower or fit.adjusted, _raised(only, traits))
    adjusted = tuple(filter(None, changes))
    if request.strict:
        _refuse_any(ignored, adjusted)
    return Translation(
        endpoint=capabilities.endpoint,
        body=body,
        facts=facts,
        pace=pace_of(traits, route.product, facts.resolution),
        details=_told(facts) | details,
        ignored=ignored,
        adjusted=adjusted,
    )


def _as_written(over: Mapping[str, Any], route: Route, path: str, replaced: str) -> Translation:
    """Take a body that a client wrote for this very path: nothing is put in beside the model."""
    traits, wire = route.traits, route.wire
    refuse_foreign(over, traits, route.product)
    inputs = wire.inputs((), over, traits)
    offered = narrow(traits, inputs, traits.action(inputs.action))
    if offered.endpoint != path:
        raise _wrong_path(traits, inputs, path)
    body = merge({}, over)
    if route.product not in PRODUCT_NAMES and not traits.is_path_model:
        body = {"model_name": traits.name, **body}
    wire.check(body, inputs, traits)
    judge(body, over, inputs=inputs, traits=traits, product=route.product, offered=offered)
    facts = wire.facts(body, inputs, traits)
    return Translation(
        endpoint=path,
        body=body,
        facts=facts,
        pace=pace_of(traits, route.product, facts.resolution),
        details={**_told(facts), ACTION: inputs.action.value},
        ignored=idle_fields(body, inputs, traits, route.product),
        adjusted=(replaced,) if replaced else (),
    )


def _wrong_path(traits: Traits, inputs: Inputs, path: str) -> UnsupportedParameterError:
    if path not in [offered.endpoint for offered in traits.actions.values()]:
        return UnsupportedParameterError("model_name", f"Kling has no {traits.name} at {path}.")
    if inputs.action is Action.TEXT:
        return UnsupportedParameterError("image", f"{path} needs a picture.")
    return UnsupportedParameterError(
        "image", f"{path} takes no picture; {traits.action(inputs.action).endpoint} does."
    )


def _vendor_fields(metadata: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in metadata.items() if key not in _OURS}
    options = fields.get("options")
    if isinstance(options, Mapping):
        fields["options"] = {
            key: value for key, value in options.items() if key not in _OURS_IN_OPTIONS
        }
    elif options is not None:
        raise UnsupportedParameterError("options", "Kling's `options` must be an object.")
    return fields


def _pictures(request: VideoRequest, route: Route) -> tuple[str, ...]:
    traits, images = route.traits, request.images
    is_motion = route.product is Product.MOTION
    most = max(
        offered.images[1]
        for action, offered in traits.actions.items()
        if (action is Action.MOTION) is is_motion
    )
    if route.as_frames:
        most = min(most, 2)
    if len(images) > most and not traits.is_omni and not is_motion and request.model in RETIRED:
        raise UnsupportedParameterError("images", NO_MULTI_IMAGE, allowed=range(most + 1))
    if len(images) > most:
        raise UnsupportedParameterError(
            "images",
            f"{traits.name} takes another number of pictures, not {len(images)}.",
            allowed=range(most + 1),
        )
    return tuple(_picture(image, route.wire.max_image_bytes) for image in images)


def _picture(image: Image, max_bytes: int) -> str:
    """A URL as it is, bytes as bare base64: Kling takes no `data:` prefix."""
    if image.content is None:
        return image.url or ""
    check_inline(image, max_bytes, "images")
    return encode_base64(image.content)


def _prompt(request: VideoRequest, capabilities: ActionCapabilities) -> str:
    limit = capabilities.prompt_characters
    if limit is not None and len(request.prompt) > limit:
        raise UnsupportedParameterError(
            "prompt",
            f"The model takes prompts of at most {limit} characters, "
            f"and this one has {len(request.prompt)}.",
        )
    return request.prompt


def _uses_duration(route: Route, capabilities: ActionCapabilities) -> bool:
    """Whether there is a length to choose; of an unknown model's the vendor is the judge."""
    if not route.wire.has_duration:
        return False
    return bool(capabilities.durations) or not route.traits.is_known


def _duration(
    request: VideoRequest, capabilities: ActionCapabilities, product: Product
) -> int | float | None:
    duration = request.duration_seconds
    if duration is None:
        return None
    if isinstance(duration, float) and duration.is_integer():
        duration = int(duration)
    durations = capabilities.durations
    if product is Product.LIP_SYNC and durations[0] <= duration <= durations[-1]:
        return duration  # told in milliseconds, so that it need not be whole
    if durations and duration not in durations:
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


def _raised(only: str | None, traits: Traits) -> str:
    """What nobody asked for and is paid for all the same: the one tier that goes with the rest."""
    if only is None or only == traits.default_tier:
        return ""
    return f"resolution={only}" if traits.is_path_model else f"mode={MODE_OF_TIER[only]}"


def _replaced(request: VideoRequest, traits: Traits) -> str:
    """The successor of a retired model, which has its own price."""
    return f"model={traits.name}" if traits.name == SUCCESSOR != request.model else ""


def _told(facts: RunFacts) -> dict[str, Any]:
    if facts.mode is not None:
        return {"mode": facts.mode}
    return {} if facts.resolution is None else {"resolution": facts.resolution}


def _refuse_any(ignored: Sequence[str], adjusted: Sequence[str]) -> None:
    for name in ignored:
        raise UnsupportedParameterError(name, f"The model has no use for `{name}`.")
    for change in adjusted:
        name, _, value = change.partition("=")
        raise UnsupportedParameterError(
            name, "What was asked for cannot be met exactly, or needs this.", allowed=(value,)
        )
