"""A neutral request in the words of one `req_key`."""

import math
from dataclasses import dataclass, field
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Action, RunFacts, Translation
from vidgate.providers.draft import merge, refuse_zero
from vidgate.providers.jimeng.fields import check_fields, check_foreign, tier_of
from vidgate.providers.jimeng.keys import (
    FRAMES_PER_SECOND,
    INLINE_FIELD,
    KEYS,
    LIST_FIELD,
    NO_VIDEO_KEYS,
    ReqKey,
    calls_of,
)
from vidgate.providers.jimeng.media import (
    check_pictures,
    count_pictures,
    guess_action,
    has_vendor_pictures,
    wanted_action,
    without_prefixes,
    write_pictures,
)
from vidgate.providers.jimeng.models import (
    family_names,
    model_of_tier,
    pace_of,
    picture_counts,
    resolve,
)
from vidgate.providers.jimeng.polls import LABEL_FIELDS, POLL_FIELD, label_text
from vidgate.providers.sizes import SizeFit, fit_size, told_lower

__all__ = ["asked_model", "translate"]

_MOST_FRAMES = 10**6
"""More is read as this many: far beyond every video, and safe to calculate with."""

_LARGEST_SEED = 2**31 - 1
"""The pages name no bound; this one is safe. -1 means a random seed, as none does."""

_SHORT_SIDES = {"480p": 480, "720p": 720, "1080p": 1080}

_NOT_SENT = frozenset({"req_key", "action", "external_task_id", "payload", "callback_url"})
"""Members of `metadata` that do not pass as they are: the key is resolved, the rest is ours."""

_NEEDED = {
    "template_id": "the camera movement",
    "video_url": "the URL of the video whose movement the picture takes on",
    "audio_url": "the URL of the sound that the picture speaks",
}
"""What a vendor field holds that a key cannot do without."""


@dataclass(slots=True)
class _Draft:
    """What the generic fields become, before `metadata` is laid over it."""

    body: dict[str, Any]
    ignored: list[str] = field(default_factory=list)
    adjusted: list[str] = field(default_factory=list)


def translate(request: VideoRequest) -> Translation:
    """Put a request in the provider's words.

    Of a key that we know, `req_json` in the body is meant for the polls.

    Raises:
        UnsupportedParameterError: A field has a value that the key, which we know, cannot honour.
    """
    refuse_zero(request)
    named = _named(request)
    asked = _of_tier(named or request.model, request)
    pictures = count_pictures(request, asked)
    wanted = wanted_action(request)
    if asked == named and named in KEYS:
        key_name = named
    else:
        key_name = resolve(asked, pictures=pictures, wants_camera=_wants_camera(request))
    if key_name in NO_VIDEO_KEYS:
        raise UnsupportedParameterError(
            "model", f"{key_name} makes no video.", allowed=(NO_VIDEO_KEYS[key_name],)
        )

    draft = _Draft({"req_key": key_name})
    if request.metadata.get("req_key") and not named:
        draft.ignored.append("req_key")
    key = KEYS.get(key_name)
    if key is None:
        action = wanted or guess_action(request, pictures)
        _write_unknown(request, draft)
    else:
        check_foreign(_vendor_fields(request, key), key)
        if not has_vendor_pictures(request, key_name):
            allowed = picture_counts("" if named == key_name else asked, key, pictures=pictures)
            check_pictures(request.images, key, allowed)
        action = key.action_with(pictures)
        _check_action(wanted, action, key)
        _write_known(request, key, pictures, draft)
    draft.ignored += [name for name in ("fps", "user") if getattr(request, name) is not None]
    if request.strict:
        _refuse_changes(draft)

    body = merge(draft.body, _vendor_fields(request, key))
    if key is not None:
        check_fields(body, key, with_inline=INLINE_FIELD in request.metadata)
    return Translation(
        endpoint=calls_of(key_name).submit,
        body=body,
        facts=RunFacts(
            model=key_name,
            duration_seconds=_seconds(body, key),
            resolution=_resolution(body, key),
        ),
        pace=pace_of(key_name),
        details={"upstream_model": key_name, "action": action.value},
        ignored=tuple(draft.ignored),
        adjusted=tuple(draft.adjusted),
        callback=key is not None and key.has_callback,
    )


def asked_model(request: VideoRequest) -> str:
    """The key or alias that a request asks for, by the model, `metadata.req_key` and a tier.

    Raises:
        UnsupportedParameterError: `req_key` is of another family than the model.
    """
    return _of_tier(_named_model(request) or request.model, request)


def _of_tier(model: str, request: VideoRequest) -> str:
    # A camera template has one tier.
    return model if _wants_camera(request) else model_of_tier(model, tier_of(request))


def _wants_camera(request: VideoRequest) -> bool:
    has_template = request.metadata.get("template_id") is not None
    return has_template or wanted_action(request) is Action.CAMERA


def _named_model(request: VideoRequest) -> str:
    """The key or alias that `metadata.req_key` names, empty where it names none.

    Raises:
        UnsupportedParameterError: It is of another family than the model.
    """
    named = request.metadata.get("req_key")
    if named is None or named == "":
        return ""
    allowed = family_names(request.model)
    if not isinstance(named, str) or named not in allowed:
        raise UnsupportedParameterError(
            "metadata.req_key",
            f"With the model {request.model} it can only name one of the same family.",
            allowed=allowed,
        )
    return named


def _named(request: VideoRequest) -> str:
    """The same of a request whose model a channel may have moved to another family.

    The client's choice was judged before that; the operator's word is the later one.
    """
    try:
        return _named_model(request)
    except UnsupportedParameterError:
        return ""


def _vendor_fields(request: VideoRequest, key: ReqKey | None) -> dict[str, Any]:
    """What of `metadata` is laid over the body."""
    taken = _NOT_SENT | LABEL_FIELDS if key else _NOT_SENT
    fields = {name: value for name, value in request.metadata.items() if name not in taken}
    if INLINE_FIELD in fields:
        fields[INLINE_FIELD] = without_prefixes(fields[INLINE_FIELD])
    if key is None:
        return fields
    label = label_text(request.metadata)
    return {**fields, POLL_FIELD: label} if label else fields


def _check_action(wanted: Action | None, action: Action, key: ReqKey) -> None:
    if wanted is not None and wanted is not action:
        raise UnsupportedParameterError(
            "metadata.action",
            f"With what the request carries, {key.name} does something else.",
            allowed=(action.value,),
        )


def _write_known(request: VideoRequest, key: ReqKey, pictures: int, draft: _Draft) -> None:
    for name in key.needs:
        if request.metadata.get(name) is None:
            raise UnsupportedParameterError(
                name, f"{key.name} needs {_NEEDED[name]}.", allowed=key.choices.get(name, ())
            )
    _write_prompt(request, key, pictures, draft)
    if not has_vendor_pictures(request, key.name):
        as_list = LIST_FIELD in key.picture_fields
        draft.body.update(write_pictures(request.images, as_list=as_list))
    _write_seed(request, key, draft)
    _write_duration(request, key, draft)
    _write_size(request, key, pictures, draft)
    if key.action is Action.CAMERA and "camera_strength" not in request.metadata:
        draft.body["camera_strength"] = "medium"
        draft.adjusted.append("camera_strength=medium")


def _write_prompt(request: VideoRequest, key: ReqKey, pictures: int, draft: _Draft) -> None:
    if not key.has_prompt:
        if request.prompt.strip() or request.metadata.get("prompt"):
            draft.ignored.append("prompt")
        return
    if "prompt" in request.metadata:
        return
    if not request.prompt.strip():
        if key.needs_prompt or not pictures:
            raise UnsupportedParameterError("prompt", f"{key.name} needs a prompt.")
        return
    if key.prompt_limit is not None and len(request.prompt) > key.prompt_limit:
        raise UnsupportedParameterError(
            "prompt", f"{key.name} takes at most {key.prompt_limit} characters."
        )
    draft.body["prompt"] = request.prompt


def _write_seed(request: VideoRequest, key: ReqKey, draft: _Draft) -> None:
    seed = request.seed
    if seed is None or "seed" in request.metadata:
        return
    if not key.has_seed:
        draft.ignored.append("seed")
        return
    if not -1 <= seed <= _LARGEST_SEED:
        raise UnsupportedParameterError(
            "seed",
            f"{key.name} takes a seed from -1, which means a random one, to {_LARGEST_SEED}.",
        )
    draft.body["seed"] = seed


def _write_duration(request: VideoRequest, key: ReqKey, draft: _Draft) -> None:
    seconds = request.duration_seconds
    if seconds is None or (key.has_frames and "frames" in request.metadata):
        return
    if not key.durations:
        draft.ignored.append("duration")
        return
    if seconds not in key.durations:
        raise UnsupportedParameterError(
            "duration", f"{key.name} makes no video of {seconds} seconds.", allowed=key.durations
        )
    if key.has_frames:
        draft.body["frames"] = FRAMES_PER_SECOND * int(seconds) + 1


def _write_size(request: VideoRequest, key: ReqKey, pictures: int, draft: _Draft) -> None:
    choosers = ("aspect_ratio", "output_resolution") if key.has_resolution else ("aspect_ratio",)
    chosen = {name for name in choosers if name in request.metadata}
    has_picture = pictures > 0 or key.images[0] > 0
    ratios = key.picture_ratios if has_picture else key.text_ratios
    fit = _fit_size(
        request,
        key,
        tiers=() if "output_resolution" in chosen else key.tiers,
        ratios=() if "aspect_ratio" in chosen else ratios,
    )
    said = request.metadata.get("output_resolution")
    lower = told_lower(request, f"{said}p") if "output_resolution" in chosen else ""
    if lower or fit.adjusted:
        draft.adjusted.append(lower or fit.adjusted)
    if fit.ignored and not chosen:
        draft.ignored.append("size")
    if request.metadata.get("aspect_ratio") and key.text_ratios and not ratios:
        # Of a key for texts and pictures: the service lets the picture give the shape.
        draft.ignored.append("aspect_ratio")
    if key.has_resolution and fit.tier:
        draft.body["output_resolution"] = _SHORT_SIDES[fit.tier]
    if fit.ratio:
        draft.body["aspect_ratio"] = fit.ratio
    elif key.needs_ratio and "aspect_ratio" not in chosen:
        # What the service itself takes for a text; with a picture it insists on being told.
        draft.body["aspect_ratio"] = "16:9"
        draft.adjusted.append("aspect_ratio=16:9")


def _fit_size(
    request: VideoRequest, key: ReqKey, *, tiers: tuple[str, ...], ratios: tuple[str, ...]
) -> SizeFit:
    if tiers and request.width is not None and request.height is not None:
        exact = key.sizes.get((request.width, request.height))
        if exact:
            return SizeFit(tier=key.tier, ratio=exact if exact in ratios else None)
    return fit_size(request, tiers=tiers, ratios=ratios, has_frame=not ratios)


def _write_unknown(request: VideoRequest, draft: _Draft) -> None:
    """Say everything in the words that most known keys share; the provider judges."""
    if request.prompt:
        draft.body["prompt"] = request.prompt
    if not has_vendor_pictures(request, ""):
        draft.body.update(write_pictures(request.images))
    if request.seed is not None:
        draft.body["seed"] = request.seed
    if request.duration_seconds is not None:
        frames = FRAMES_PER_SECOND * request.duration_seconds
        if not math.isfinite(frames):
            raise UnsupportedParameterError("duration", "It must be a number of seconds.")
        draft.body["frames"] = round(frames) + 1
    if request.width and request.height:
        divisor = math.gcd(request.width, request.height)
        ratio = f"{request.width // divisor}:{request.height // divisor}"
        draft.body["aspect_ratio"] = ratio
        if "aspect_ratio" not in request.metadata:
            draft.adjusted.append(f"size={ratio}")
    elif request.aspect_ratio is not None:
        draft.body["aspect_ratio"] = request.aspect_ratio


def _refuse_changes(draft: _Draft) -> None:
    if draft.ignored:
        raise UnsupportedParameterError(
            draft.ignored[0], f"The model has no use for {', '.join(draft.ignored)}."
        )
    if draft.adjusted:
        name, _, value = draft.adjusted[0].partition("=")
        raise UnsupportedParameterError(name, f"It can only be met as {value}.")


def _resolution(body: dict[str, Any], key: ReqKey | None) -> str | None:
    if key is None:
        return None
    # A value that is none of them may be taken for the highest, which costs most.
    asked = f"{body.get('output_resolution')}p"
    return asked if asked in key.tiers else key.tier


def _seconds(body: dict[str, Any], key: ReqKey | None) -> float | None:
    """The duration that the final body asks for, which is what it is billed by."""
    if key is not None and not key.durations:
        return None
    if key is not None and ("frames" not in body or not key.has_frames):
        return float(key.durations[0])
    if "frames" not in body:
        return None
    frames = _frames(body["frames"])
    if frames is not None:
        return (frames - 1) / FRAMES_PER_SECOND
    # Nobody knows what the service makes of it: the most that it could be.
    return float(key.durations[-1]) if key else None


def _frames(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        frames = float(value)
    except (ValueError, OverflowError):
        return None
    return min(frames, float(_MOST_FRAMES)) if frames > 1 else None
