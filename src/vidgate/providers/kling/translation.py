"""From a neutral request to Kling's words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, ActionCapabilities, RunFacts, Translation
from vidgate.providers.draft import Draft, merge, refuse_zero
from vidgate.providers.fields import to_number
from vidgate.providers.kling.bodies import Generic, Inputs
from vidgate.providers.kling.choosing import ACTION, NO_MULTI_IMAGE, Choice, choose
from vidgate.providers.kling.fields import has_own_shots, idle_fields, judge
from vidgate.providers.kling.generations import (
    is_given,
    refuse_foreign,
    to_legacy_fields,
    to_new_fields,
)
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
from vidgate.providers.pieces import encode_base64
from vidgate.providers.sizes import SizeFit, exact_ratio, fit_size, told_lower

__all__ = ["translate"]

_OURS_IN_OPTIONS = ("callback_url", "external_task_id")
_OURS = ("model", "model_name", *_OURS_IN_OPTIONS, ACTION)
"""Fields that never come from `metadata`: what runs, and what recovery rests on."""

_DEFAULT_RATIO = "16:9"
"""What an omni model is given where the vendor wants a ratio and the client named none."""

_FREE_CAMERA = "simple"
"""The type of camera that moves as its values say."""


def translate(request: VideoRequest, *, map_retired_models: bool) -> Translation:
    """Put a request in Kling's words.

    Pictures become frames by their number, on omni models references. A last frame, and sound on
    2.6, need 1080p on 2.5 Turbo and 2.6, and get it.

    Raises:
        UnsupportedParameterError: A generic field cannot be honoured.
    """
    refuse_zero(request)
    written = _vendor_fields(request.metadata)
    still = _still_camera(written)
    written = {name: value for name, value in written.items() if name not in still}
    choice = choose(request, written, map_retired_models=map_retired_models)
    traits, shape = choice.traits, choice.shape
    written = bare_media(written, shape.max_image_bytes)
    write = _write if choice.path is None else _as_written
    body, draft, details = write(request, written, choice)
    inputs = shape.inputs(body, traits)
    judge(body, written, choice, inputs)
    draft.idle(*still, *idle_fields(body, choice, inputs))
    facts = shape.facts(body, inputs, traits)
    return Translation(
        endpoint=choice.path or traits.action(inputs.action).endpoint,
        body=body,
        facts=facts,
        pace=pace_of(traits, choice.product, facts.resolution),
        details={**_told(facts), ACTION: inputs.action.value, **details},
        ignored=draft.ignored,
        adjusted=tuple(draft.adjusted),
        names=draft.names,
    )


def _still_camera(written: Mapping[str, Any]) -> tuple[str, ...]:
    """The camera's field where each of its moves is zero or empty, as forms send it."""
    camera = written.get("camera_control")
    if not isinstance(camera, Mapping) or camera.get("type") not in (None, "", _FREE_CAMERA):
        return ()
    moves = camera.get("config")
    if not isinstance(moves, Mapping):
        return ()
    is_still = bool(moves) and not any(move and to_number(move) != 0 for move in moves.values())
    return ("camera_control",) if is_still else ()


def _write(
    request: VideoRequest, written: Mapping[str, Any], choice: Choice
) -> tuple[dict[str, Any], Draft, dict[str, Any]]:
    """Write the body: the generic fields, with the client's vendor fields laid over them.

    Returns:
        The body, what became of the generic fields, and details of it.
    """
    traits, shape = choice.traits, choice.shape
    pictures = _pictures(request, choice)
    adopt = to_new_fields if traits.is_path_model else to_legacy_fields
    over = adopt(written, traits, choice.product)
    uses_prompt = shape.has_prompt and not has_own_shots(traits, over)
    prompt = request.prompt if uses_prompt else ""
    generic = Generic(prompt=prompt, pictures=pictures, as_frames=choice.as_frames)
    body = shape.write(over, generic, traits)
    inputs = shape.inputs(body, traits)
    if choice.actions and inputs.action not in choice.actions:
        raise UnsupportedParameterError(
            ACTION,
            f"What the request carries makes its action {inputs.action}; leave `action` out, or "
            "give what its action needs.",
            allowed=(inputs.action.value,),
        )
    takes = traits.action(inputs.action, has_sound=inputs.has_sound)
    draft = Draft(request, shape.settings(over), traits.name)
    draft.use("image", *(["prompt"] if uses_prompt or "prompt" in over else []))
    has_duration = shape.has_duration and (takes.durations or not traits.is_known)
    if has_duration or shape.duration_field in draft.over:
        _write_duration(draft, choice, over, takes.durations)
    fit, details = _fit(draft, choice, inputs, takes), {}
    if inputs.needs_ratio and fit.ratio is None and "aspect_ratio" not in draft.over:
        details["aspect_ratio"] = _DEFAULT_RATIO
        fit = replace(fit, ratio=_DEFAULT_RATIO)
    is_tier_said = shape.tier_field in draft.over
    only = takes.tiers[0] if len(takes.tiers) == 1 and not (fit.tier or is_tier_said) else None
    draft.size(
        replace(fit, tier=fit.tier or only, adjusted=""),
        tier=shape.tier_field,
        write=lambda tier: tier if traits.is_path_model else MODE_OF_TIER[tier],
    )
    body = shape.place(body, draft.body)
    made = shape.facts(body, inputs, traits).resolution
    lower = told_lower(request, made) if is_tier_said else ""
    draft.adjust(_replaced(request, traits), lower or fit.adjusted, _raised(only, traits))
    return body, draft, details


def _as_written(
    request: VideoRequest, written: Mapping[str, Any], choice: Choice
) -> tuple[dict[str, Any], Draft, dict[str, Any]]:
    """Take a body that a client wrote for this very path: nothing is put in beside the model."""
    traits, path = choice.traits, choice.path
    refuse_foreign(written, traits, choice.product)
    if is_given(written.get("resolution")) and not traits.is_path_model:
        raise UnsupportedParameterError(
            "resolution", f"{traits.name} has no `resolution`: say `mode`."
        )
    body = merge({}, written)
    if choice.product not in PRODUCT_NAMES and not traits.is_path_model:
        body = {"model_name": traits.name, **body}
    inputs = choice.shape.inputs(body, traits)
    right_path = traits.action(inputs.action).endpoint
    if path not in [offered.endpoint for offered in traits.actions.values()]:
        raise UnsupportedParameterError("model_name", f"Kling has no {traits.name} at {path}.")
    if path != right_path:
        is_text = inputs.action is Action.TEXT
        says = "needs a picture." if is_text else f"takes no picture; {right_path} does."
        raise UnsupportedParameterError("image", f"{path} {says}")
    draft = Draft(request, written, traits.name)
    draft.use("fps", "seed", "user")
    draft.adjust(_replaced(request, traits))
    return body, draft, {}


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


def _pictures(request: VideoRequest, choice: Choice) -> tuple[str, ...]:
    traits, images = choice.traits, request.images
    is_motion = choice.product is Product.MOTION
    most = max(
        offered.images[1]
        for action, offered in traits.actions.items()
        if (action is Action.MOTION) is is_motion
    )
    if choice.as_frames:
        most = min(most, 2)
    if len(images) > most and not traits.is_omni and not is_motion and request.model in RETIRED:
        raise UnsupportedParameterError("images", NO_MULTI_IMAGE, allowed=range(most + 1))
    if len(images) > most:
        raise UnsupportedParameterError(
            "images",
            f"{traits.name} takes another number of pictures, not {len(images)}.",
            allowed=range(most + 1),
        )
    return tuple(_picture(image, choice.shape.max_image_bytes) for image in images)


def _picture(image: Image, max_bytes: int) -> str:
    """A URL as it is, bytes as bare base64: Kling takes no `data:` prefix."""
    if image.content is None:
        return image.url or ""
    check_inline(image, max_bytes, "images")
    return encode_base64(image.content)


def _write_duration(
    draft: Draft, choice: Choice, over: Mapping[str, Any], durations: Sequence[int]
) -> None:
    """Write a length; that of a sound is in milliseconds, so that it need not be whole."""
    seconds, start = draft.request.duration_seconds, over.get("sound_start_time")
    begin = start if isinstance(start, int) else 0
    is_sound = choice.product is Product.LIP_SYNC
    is_within = is_sound and seconds is not None and durations[0] <= seconds <= durations[-1]

    def write(asked: float) -> int | float | str:
        if is_sound:
            return round(asked * 1000) + begin
        return asked if choice.traits.is_path_model else str(asked)

    draft.duration(
        choice.shape.duration_field,
        allowed=durations if is_sound and not is_within else (),
        write=write,
    )


def _fit(draft: Draft, choice: Choice, inputs: Inputs, offered: ActionCapabilities) -> SizeFit:
    """Fit the size, but for what `metadata` says in its place."""
    request, traits = draft.request, choice.traits
    is_pixels = request.width is not None and request.height is not None
    has_tier = choice.shape.tier_field in draft.over
    has_ratio = "aspect_ratio" in draft.over
    shape_is_said = has_ratio or (is_pixels and inputs.gives_shape)
    if shape_is_said and (has_tier or not is_pixels):
        return SizeFit()
    if not traits.is_known:
        return _fit_unknown(request, inputs, has_tier=has_tier, has_ratio=has_ratio)
    return fit_size(
        request,
        tiers=() if has_tier else offered.tiers,
        ratios=() if has_ratio else offered.ratios,
        has_frame=inputs.gives_shape,
    )


def _fit_unknown(
    request: VideoRequest, inputs: Inputs, *, has_tier: bool, has_ratio: bool
) -> SizeFit:
    """A ratio goes out as it is; only a number of pixels has to be put in Kling's words."""
    width, height = request.width, request.height
    if width is None or height is None:
        if request.aspect_ratio is not None and inputs.gives_shape:
            return SizeFit(ignored=True)
        return SizeFit(ratio=request.aspect_ratio)
    fit = SizeFit()
    if not has_tier:
        fit = fit_size(request, tiers=tuple(TIER_OF_MODE.values()), ratios=(), has_frame=True)
    ratio = None if has_ratio or inputs.gives_shape else exact_ratio(width, height, RATIOS)
    return SizeFit(tier=fit.tier, ratio=ratio, adjusted=fit.adjusted)


def _raised(only: str | None, traits: Traits) -> str:
    """What nobody asked for and is paid for all the same: the one tier that goes with the rest."""
    if only is None or only == traits.default_tier:
        return ""
    return f"resolution={only}" if traits.is_path_model else f"mode={MODE_OF_TIER[only]}"


def _replaced(request: VideoRequest, traits: Traits) -> str:
    """The successor of a retired model, which has its own price."""
    return f"model={traits.name}" if traits.name == SUCCESSOR != request.model else ""


def _told(facts: RunFacts) -> dict[str, Any]:
    name = "resolution" if facts.mode is None else "mode"
    value = facts.mode or facts.resolution
    return {} if value is None else {name: value}
