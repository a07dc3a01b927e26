"""From our request to Vidu's body."""

import base64
import json
from collections.abc import Mapping
from math import gcd
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import Action, ActionCapabilities, ModelCapabilities, Translation
from vidgate.providers.merging import merge
from vidgate.providers.sizes import SizeFit, fit_size
from vidgate.providers.vidu.facts import to_facts, to_number, to_pace
from vidgate.providers.vidu.models import (
    ANY_RATIO_SUBJECTS,
    ENDPOINTS,
    HAS_ASPECT_RATIO,
    LABELS,
    MODELS,
    prompt_limit,
    tiers_at,
)

__all__ = ["to_json", "to_translation"]

_WITHHELD = frozenset({"model", "model_name", "payload", "external_task_id", "callback_url"})
"""Members of `metadata` that never reach the vendor: they are ours, or kept and echoed by us."""

_OURS_OR_PRICED = (
    "model",
    "duration",
    "resolution",
    "audio",
    "off_peak",
    "payload",
    "callback_url",
)

_FOLDED = {name.replace("_", ""): name for name in _OURS_OR_PRICED}
"""A Go server may read `Duration` or `offPeak` as the field itself, unseen by the bill."""

_REFERENCE_FIELDS = ("subjects", "videos", "sounds", "auto_subjects")
"""Vendor fields that exist on reference2video alone."""

_ACTION_WORDS: Mapping[str, Action] = {
    "textGenerate": Action.TEXT,
    "generate": Action.FIRST_FRAME,
    "firstTailGenerate": Action.FIRST_LAST_FRAME,
    "referenceGenerate": Action.REFERENCES,
    **{endpoint.rpartition("/")[2]: action for action, endpoint in ENDPOINTS.items()},
}
"""What `metadata.action` may say: new-api's own words, and the endpoints by name."""

_PICTURE_TYPES: Mapping[str, str] = {
    "image/png": "image/png",
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/webp": "image/webp",
}

_MAX_BODY_BYTES = 20 * 1024 * 1024
"""The vendor's limit for a whole POST body, "20 MB"."""

_BODY_RESERVE_BYTES = 4096
"""For the `payload` and `callback_url` that are added when it is sent."""

_EXACT_RATIO = 0.005
"""Sizes are whole pixels: within half a percent 854x480 is meant as 16:9."""


def to_json(body: Mapping[str, Any]) -> bytes:
    """Write a body as the bytes that are sent."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair has no UTF-8; JSON can still escape it.
        return json.dumps(body, separators=(",", ":")).encode()


def to_translation(request: VideoRequest) -> Translation:
    """Put a request in Vidu's words.

    Raises:
        UnsupportedParameterError: A generic field has a value that the model cannot honour, a
            picture one that Vidu does not take, or the body is too large.
    """
    metadata = {key: value for key, value in request.metadata.items() if key not in _WITHHELD}
    action = _choose_action(request, metadata)
    known = MODELS.get(request.model)
    capabilities = known.actions.get(action) if known else None
    size = _fit_size(request, metadata, action, capabilities)
    body: dict[str, Any] = {"model": request.model}
    if request.images and "images" not in metadata:
        body["images"] = [_picture(image) for image in request.images]
    if request.prompt:
        body["prompt"] = request.prompt
    if capabilities is not None:
        _check_prompt(request, metadata, action)
    if request.duration_seconds is not None:
        body["duration"] = _duration(request, metadata, capabilities)
    if size.tier is not None:
        body["resolution"] = size.tier
    if size.ratio is not None:
        body["aspect_ratio"] = size.ratio
    if request.seed is not None:
        body["seed"] = request.seed
    body = merge(body, metadata)
    _check_body(body)

    ignored = _ignored(request, size)
    adjusted = (size.adjusted,) if size.adjusted else ()
    if request.strict:
        _refuse_inexact(ignored, adjusted)
    facts = to_facts(request.model, action, body)
    details: dict[str, Any] = {"action": ENDPOINTS[action].rpartition("/")[2]}
    if facts.off_peak:
        details["off_peak"] = True
    return Translation(
        endpoint=ENDPOINTS[action],
        body=body,
        facts=facts,
        pace=to_pace(facts),
        details=details,
        ignored=ignored,
        adjusted=adjusted,
    )


# Which endpoint


def _choose_action(request: VideoRequest, metadata: dict[str, Any]) -> Action:
    """Choose the endpoint, and take the word that names it out of `metadata`."""
    word = metadata.get("action")
    known = MODELS.get(request.model)
    has_reference_fields = any(metadata.get(name) for name in _REFERENCE_FIELDS)
    count = len(request.images)
    if "images" in metadata:
        images = metadata["images"]
        count = len(images) if isinstance(images, list) else int(bool(images))
    if isinstance(word, str) and word in _ACTION_WORDS:
        del metadata["action"]
        action = _ACTION_WORDS[word]
    elif has_reference_fields:
        action = Action.REFERENCES
    else:
        action = _by_count(count)
        if known and action not in known.actions and _may_be_references(known, action):
            action = Action.REFERENCES
    # Where vendor fields decide, the provider judges.
    is_generic = "images" not in metadata and not has_reference_fields
    is_told = "action" in request.metadata and "action" not in metadata
    if known and is_generic and (action in known.actions or not is_told):
        _check_count(known, action, count)
    return action


def _by_count(images: int) -> Action:
    few = (Action.TEXT, Action.FIRST_FRAME, Action.FIRST_LAST_FRAME)
    return few[images] if images < len(few) else Action.REFERENCES


def _takes(capabilities: ActionCapabilities, images: int) -> bool:
    fewest, most = capabilities.images
    return fewest <= images <= most


def _may_be_references(known: ModelCapabilities, action: Action) -> bool:
    return action is not Action.TEXT and Action.REFERENCES in known.actions


def _check_count(known: ModelCapabilities, action: Action, images: int) -> None:
    capabilities = known.actions.get(action)
    if capabilities is not None and _takes(capabilities, images):
        return
    numbers: set[int] = set()
    for takes in known.actions.values():
        numbers.update(range(takes.images[0], takes.images[1] + 1))
    raise UnsupportedParameterError(
        "images",
        f"The model {known.name} makes no video from {images} images.",
        allowed=sorted(numbers),
    )


# Single fields


def _picture(image: Image) -> str:
    if image.url is not None:
        return image.url
    media_type = _PICTURE_TYPES.get(image.media_type or "")
    if media_type is None:
        raise UnsupportedParameterError(
            "image", "The picture is in a format that Vidu does not take.", allowed=_PICTURE_NAMES
        )
    return f"data:{media_type};base64,{base64.b64encode(image.content or b'').decode()}"


_PICTURE_NAMES = ("png", "jpeg", "webp")


def _check_prompt(request: VideoRequest, metadata: Mapping[str, Any], action: Action) -> None:
    if "prompt" in metadata:
        return
    if action in HAS_ASPECT_RATIO and not request.prompt.strip():
        raise UnsupportedParameterError(
            "prompt", f"The model {request.model} needs a prompt for this kind of video."
        )
    limit = prompt_limit(request.model)
    if limit is not None and len(request.prompt) > limit:
        raise UnsupportedParameterError(
            "prompt", f"The model {request.model} takes a prompt of at most {limit} characters."
        )


def _duration(
    request: VideoRequest, metadata: Mapping[str, Any], capabilities: ActionCapabilities | None
) -> int | float | None:
    duration = request.duration_seconds
    if capabilities is None or duration is None or "duration" in metadata:
        return duration
    if duration not in capabilities.durations:
        raise UnsupportedParameterError(
            "duration",
            f"The model {request.model} makes no video of {duration} seconds here.",
            allowed=capabilities.durations,
        )
    return int(duration)


def _fit_size(
    request: VideoRequest,
    metadata: Mapping[str, Any],
    action: Action,
    capabilities: ActionCapabilities | None,
) -> SizeFit:
    """Find the resolution and the ratio, but for what `metadata` says itself."""
    ratio_free = "aspect_ratio" not in metadata
    tier_free = "resolution" not in metadata
    if capabilities is None:
        fit = _verbatim_size(request, has_ratio=action in HAS_ASPECT_RATIO)
        return SizeFit(
            tier=fit.tier if tier_free else None,
            ratio=fit.ratio if ratio_free else None,
            ignored=fit.ignored and ratio_free,
        )
    duration = to_number(metadata.get("duration", request.duration_seconds))
    ratios = capabilities.ratios
    if metadata.get("subjects") and request.model in ANY_RATIO_SUBJECTS:
        ratios = _with_own_ratio(request, ratios)
    fit = fit_size(
        request,
        tiers=tiers_at(request.model, capabilities, duration) if tier_free else (),
        ratios=ratios if ratio_free else (),
        has_frame=action not in HAS_ASPECT_RATIO,
    )
    # Pixels are never in vain: the tier was used, or `metadata` gives a better one.
    in_vain = fit.ignored and request.width is None and ratio_free
    return SizeFit(tier=fit.tier, ratio=fit.ratio, adjusted=fit.adjusted, ignored=in_vain)


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


_COMMON_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")


# What becomes of the whole


def _check_body(body: Mapping[str, Any]) -> None:
    for name in body:
        meant = _FOLDED.get(name.replace("_", "").casefold())
        if meant is not None and meant != name:
            raise UnsupportedParameterError(
                name, "The vendor field is not spelled as Vidu spells it.", allowed=(meant,)
            )
    if _size_bytes(body) > _MAX_BODY_BYTES - _BODY_RESERVE_BYTES:
        raise UnsupportedParameterError(
            "image",
            "Vidu takes at most 20 MB in one request, about 15 MB of inline pictures; "
            "send smaller pictures or URLs.",
        )


def _size_bytes(body: Mapping[str, Any]) -> int:
    """How large the JSON will be, without writing the pictures a second time."""
    images = body.get("images")
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        return len(to_json(body))
    rest = {key: value for key, value in body.items() if key != "images"}
    return len(to_json(rest)) + sum(len(image) + len('"",') for image in images)


def _ignored(request: VideoRequest, size: SizeFit) -> tuple[str, ...]:
    given = {
        "fps": request.fps is not None,
        "size": size.ignored,
        "user": request.user is not None,
    }
    return tuple(name for name, is_ignored in given.items() if is_ignored)


def _refuse_inexact(ignored: tuple[str, ...], adjusted: tuple[str, ...]) -> None:
    if ignored:
        raise UnsupportedParameterError(
            ignored[0], f"The model has no use for: {', '.join(ignored)}."
        )
    if adjusted:
        raise UnsupportedParameterError(
            "size",
            "The model cannot make exactly that size; the nearest is listed.",
            allowed=[entry.removeprefix("size=") for entry in adjusted],
        )
