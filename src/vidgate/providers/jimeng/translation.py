"""A neutral request in the words of one `req_key`."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, RunFacts, Translation
from vidgate.providers.draft import Draft, refuse_zero
from vidgate.providers.fields import OneOf
from vidgate.providers.jimeng import fields, keys, media, models
from vidgate.providers.jimeng.keys import ReqKey
from vidgate.providers.sizes import SizeFit, exact_ratio, fit_size, told_lower
from vidgate.providers.words import wanted_action

__all__ = ["asked_model", "translate"]

_MOST_FRAMES = 10**6
"""More is read as this many: far beyond every video, and safe to calculate with."""

_LARGEST_SEED = 2**31 - 1
"""The pages name no bound; this one is safe. -1 means a random seed, as none does."""

_IGNORED = ("req_key", "prompt", "seed", "duration", "size", "aspect_ratio", "fps", "user")
"""The order in which they are reported."""

_SHORT_SIDES = {"480p": 480, "720p": 720, "1080p": 1080}

_NOT_SENT = frozenset({"req_key", "action", "external_task_id", "payload", "callback_url"})
"""Members of `metadata` that do not pass as they are: the key is resolved, the rest is ours."""

_TELLING_FIELDS = {
    "template_id": Action.CAMERA,
    "audio_url": Action.AVATAR,
    "video_url": Action.MOTION,
}
"""What a key makes that we do not know, by a field that it is given."""


def translate(request: VideoRequest) -> Translation:
    """Put a request in the provider's words.

    Of a key that we know, `req_json` in the body is meant for the polls.

    Raises:
        UnsupportedParameterError: A field has a value that the key, which we know, cannot honour.
    """
    refuse_zero(request)
    named = _named(request)
    asked = _of_tier(named or request.model, request)
    pictures = media.count_pictures(request, asked)
    wanted = _wanted_action(request)
    if asked == named and named in keys.KEYS:
        key_name = named
    else:
        key_name = models.resolve(asked, pictures=pictures, wants_camera=_wants_camera(request))
    if key_name in keys.NO_VIDEO_KEYS:
        raise UnsupportedParameterError(
            "model", f"{key_name} makes no video.", allowed=(keys.NO_VIDEO_KEYS[key_name],)
        )

    key = keys.KEYS.get(key_name)
    draft = Draft(request, _vendor_fields(request, key), key_name)
    draft.body["req_key"] = key_name
    if request.metadata.get("req_key") and not named:
        draft.idle("req_key")
    brings_pictures = media.has_vendor_pictures(request, key_name)
    images = () if brings_pictures else request.images
    draft.use("image")
    if key is None:
        action = wanted or _guess_action(request, pictures)
        _write_unknown(draft, images)
    else:
        fields.check_foreign(draft.over, key)
        if not brings_pictures:
            told = "" if named == key_name else asked
            allowed = models.picture_counts(told, key, pictures=pictures)
            media.check_pictures(images, key, allowed, param=draft.name_of("images"))
        action = key.action_with(pictures)
        if wanted not in (None, action):
            says = f"With what the request carries, {key.name} does something else."
            raise UnsupportedParameterError("metadata.action", says, allowed=(action.value,))
        _write_known(draft, key, images, pictures)
    body = draft.finish()
    if key is not None:
        fields.check_fields(body, key, pictures=pictures, names=draft.names)
        if brings_pictures:
            media.check_vendor_pictures(body, key)
    return Translation(
        endpoint=keys.calls_of(key_name).submit,
        body=body,
        facts=_to_facts(key_name, key, action, body),
        pace=key.pace if key else keys.SLOW_PACE,
        details={"upstream_model": key_name, "action": action.value},
        ignored=tuple(sorted(draft.ignored, key=_IGNORED.index)),
        adjusted=tuple(draft.adjusted),
        names=draft.names,
        callback=key is not None and key.has_callback,
    )


def asked_model(request: VideoRequest) -> str:
    """The key or alias that a request asks for, by the model, `metadata.req_key` and a tier.

    Raises:
        UnsupportedParameterError: `req_key` is of another family than the model.
    """
    named = _named(request)
    if request.metadata.get("req_key") not in (None, "", named):
        raise UnsupportedParameterError(
            "metadata.req_key",
            f"With the model {request.model} it can only name one of the same family.",
            allowed=models.family_names(request.model),
        )
    return _of_tier(named or request.model, request)


def _named(request: VideoRequest) -> str:
    """The key or alias that `metadata.req_key` names, empty where it is of another family.

    A channel may have moved the model to another one. The client's choice was judged before that;
    the operator's word is the later one.
    """
    named = request.metadata.get("req_key")
    return named if isinstance(named, str) and named in models.family_names(request.model) else ""


def _of_tier(model: str, request: VideoRequest) -> str:
    # A camera template has one tier.
    return model if _wants_camera(request) else models.model_of_tier(model, fields.tier_of(request))


def _wants_camera(request: VideoRequest) -> bool:
    has_template = request.metadata.get("template_id") is not None
    return has_template or _wanted_action(request) is Action.CAMERA


def _wanted_action(request: VideoRequest) -> Action | None:
    return wanted_action(request.metadata, tuple(Action), param="metadata.action")


def _vendor_fields(request: VideoRequest, key: ReqKey | None) -> dict[str, Any]:
    """What of `metadata` is laid over the body."""
    taken = _NOT_SENT | fields.LABEL_FIELDS if key else _NOT_SENT
    over = {name: value for name, value in request.metadata.items() if name not in taken}
    if keys.INLINE_FIELD in over:
        over[keys.INLINE_FIELD] = media.without_prefixes(over[keys.INLINE_FIELD])
    if key is None:
        return over
    label = fields.label_text(request.metadata)
    return {**over, fields.POLL_FIELD: label} if label else over


def _guess_action(request: VideoRequest, pictures: int) -> Action:
    """What a key that we do not know will do, going by what it is given."""
    given = (one for name, one in _TELLING_FIELDS.items() if request.metadata.get(name) is not None)
    return next(given, keys.ACTIONS[min(pictures, 2)])


def _write_known(draft: Draft, key: ReqKey, images: Sequence[Image], pictures: int) -> None:
    request = draft.request
    draft.use("prompt")
    if key.has_prompt and request.prompt.strip():
        draft.prompt()
    elif not key.has_prompt and (request.prompt.strip() or draft.over.get("prompt")):
        draft.idle("prompt")
    media.write_pictures(draft, images, as_list=keys.LIST_FIELD in key.picture_fields)
    if key.has_seed or "seed" in draft.over:
        draft.seed(bounds=(-1, _LARGEST_SEED))
    if key.has_frames:
        draft.duration("frames", allowed=key.durations, write=_to_frames)
    elif key.durations:
        draft.use("duration")
        if request.duration_seconds is not None:
            OneOf(key.durations).refuse("duration", request.duration_seconds, key.name)
    _write_size(draft, key, pictures)
    if key.action is Action.CAMERA and "camera_strength" not in draft.over:
        draft.body["camera_strength"] = "medium"
        draft.adjust("camera_strength=medium")


def _to_frames(seconds: float) -> int:
    frames = keys.FRAMES_PER_SECOND * float(seconds)
    if not math.isfinite(frames):
        raise UnsupportedParameterError("duration", "It must be a number of seconds.")
    return round(frames) + 1


def _write_size(draft: Draft, key: ReqKey, pictures: int) -> None:
    request, over = draft.request, draft.over
    chooses_tier = key.has_resolution and "output_resolution" in over
    has_picture = pictures > 0 or key.images[0] > 0
    ratios = key.picture_ratios if has_picture else key.text_ratios
    tiers = () if chooses_tier else key.tiers
    fits = () if "aspect_ratio" in over else ratios
    exact = key.sizes.get((request.width or 0, request.height or 0)) if tiers else None
    if exact:
        fit = SizeFit(tier=key.tier, ratio=exact if exact in fits else None)
    else:
        fit = fit_size(request, tiers=tiers, ratios=fits, has_frame=not fits)
    if chooses_tier:
        lower = told_lower(request, f"{over['output_resolution']}p")
        fit = replace(fit, adjusted=lower or fit.adjusted)
    if chooses_tier or "aspect_ratio" in over:
        draft.use("size")
    if over.get("aspect_ratio") and key.text_ratios and not ratios:
        # Of a key for texts and pictures: the service lets the picture give the shape.
        draft.idle("aspect_ratio")
    draft.size(
        fit, tier="output_resolution" if key.has_resolution else "", write=_SHORT_SIDES.__getitem__
    )
    if key.picture_ratios and not {"aspect_ratio"} & {*draft.body, *over}:
        # What the service itself takes for a text; with a picture it insists on being told.
        draft.body["aspect_ratio"] = "16:9"
        draft.adjust("aspect_ratio=16:9")


def _write_unknown(draft: Draft, images: Sequence[Image]) -> None:
    """Say everything in the words that most known keys share; the provider judges."""
    request = draft.request
    draft.use("size")
    draft.prompt()
    media.write_pictures(draft, images)
    draft.seed()
    draft.duration("frames", write=_to_frames)
    if request.width and request.height:
        ratio = exact_ratio(request.width, request.height)
        draft.put("size", "aspect_ratio", ratio)
        if "aspect_ratio" not in draft.over:
            draft.adjust(f"size={ratio}")
    elif request.aspect_ratio is not None:
        draft.put("size", "aspect_ratio", request.aspect_ratio)


def _to_facts(name: str, key: ReqKey | None, action: Action, body: dict[str, Any]) -> RunFacts:
    """What the final body asks for, which is what it is billed by."""
    resolution = None
    if key is not None:
        # An unknown value may be taken for the highest, which costs most.
        asked = f"{body.get('output_resolution')}p"
        resolution = asked if asked in key.tiers else key.tier
    seconds = float(key.durations[0]) if key and key.durations else None
    if "frames" in body and (key is None or key.has_frames):
        frames = min(_to_float(body["frames"]), _MOST_FRAMES)
        seconds = (frames - 1) / keys.FRAMES_PER_SECOND if frames > 1 else None
    return RunFacts(model=name, duration_seconds=seconds, resolution=resolution, action=action)


def _to_float(value: Any) -> float:
    """Read a number, also one in text and one without end, which is billed as the most; else 0."""
    try:
        return 0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
