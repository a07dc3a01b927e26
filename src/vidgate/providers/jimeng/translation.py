"""A neutral request in the words of one `req_key`."""

import base64
import math
from dataclasses import dataclass, field
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import RunFacts, Translation
from vidgate.providers.jimeng.catalogue import (
    CAMERA_TEMPLATES,
    KEYS,
    ReqKey,
    family_names,
    pace_of,
    picture_counts,
    resolve,
)
from vidgate.providers.merging import merge
from vidgate.providers.sizes import SizeFit, fit_size

__all__ = ["SUBMIT_ACTION", "named_model", "translate"]

SUBMIT_ACTION = "CVSync2AsyncSubmitTask"

_FRAMES_PER_SECOND = 24
"""`frames` is this times the seconds, and one more: 121 and 241."""

_MOST_FRAMES = 10**6
"""More is read as this many: far beyond every video, and safe to calculate with."""

_MOST_PICTURE_BYTES = 4_700_000
"""The pages say 4.7 MB; of the possible meanings this is the smallest."""

_MOST_OVER_TIER = 1.1
"""How far, as a factor, a size may be over a key's tier: 1088 is meant as 1080p."""

_SHORT_SIDES = {"720p": 720, "1080p": 1080}

_URLS = "image_urls"
_INLINE = "binary_data_base64"

_NOT_SENT = frozenset({"req_key", "external_task_id", "payload", "callback_url"})
"""Members of `metadata` that do not pass as they are: the key is resolved, the rest is ours."""


@dataclass(slots=True)
class _Draft:
    """What the generic fields become, before `metadata` is laid over it."""

    body: dict[str, Any]
    ignored: list[str] = field(default_factory=list)
    adjusted: list[str] = field(default_factory=list)


def translate(request: VideoRequest) -> Translation:
    """Put a request in the provider's words.

    Raises:
        UnsupportedParameterError: A generic field has a value that the key cannot honour, or
            `metadata.req_key` names another family's.
    """
    named = named_model(request)
    asked = named or request.model
    pictures = _count_pictures(request)
    if named in KEYS:
        key_name = named
    else:
        has_template = request.metadata.get("template_id") is not None
        key_name = resolve(asked, pictures=pictures, has_template=has_template)

    draft = _Draft({"req_key": key_name})
    key = KEYS.get(key_name)
    if key is None:
        _write_unknown(request, draft)
    else:
        if not _has_vendor_pictures(request):
            fewest, most = key.images
            allowed = (
                tuple(range(fewest, most + 1))
                if named == key_name
                else picture_counts(asked, key, pictures=pictures)
            )
            _check_pictures(request.images, key, allowed)
        _write_known(request, key, pictures, draft)
    draft.ignored += [name for name in ("fps", "user") if getattr(request, name) is not None]
    if request.strict:
        _refuse_changes(draft)

    vendor = {name: value for name, value in request.metadata.items() if name not in _NOT_SENT}
    body = merge(draft.body, vendor)
    return Translation(
        endpoint=SUBMIT_ACTION,
        body=body,
        facts=RunFacts(
            model=key_name,
            duration_seconds=_seconds(body, key),
            resolution=key.tier if key else None,
        ),
        pace=pace_of(key_name),
        details={"upstream_model": key_name},
        ignored=tuple(draft.ignored),
        adjusted=tuple(draft.adjusted),
    )


def named_model(request: VideoRequest) -> str:
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


def _write_known(request: VideoRequest, key: ReqKey, pictures: int, draft: _Draft) -> None:
    _write_prompt(request, key, pictures, draft)
    _write_pictures(request, draft)
    _write_seed(request, draft)
    _write_duration(request, key, draft)
    _write_ratio(request, key, pictures, draft)
    if key.needs_camera:
        _write_camera(request, draft)


def _write_prompt(request: VideoRequest, key: ReqKey, pictures: int, draft: _Draft) -> None:
    if "prompt" in request.metadata:
        return
    if not request.prompt.strip():
        if key.needs_prompt or not pictures:
            raise UnsupportedParameterError("prompt", f"{key.name} needs a prompt.")
        return
    if len(request.prompt) > key.prompt_limit:
        raise UnsupportedParameterError(
            "prompt", f"{key.name} takes at most {key.prompt_limit} characters."
        )
    draft.body["prompt"] = request.prompt


def _write_seed(request: VideoRequest, draft: _Draft) -> None:
    if request.seed is not None:
        draft.body["seed"] = request.seed


def _write_duration(request: VideoRequest, key: ReqKey, draft: _Draft) -> None:
    seconds = request.duration_seconds
    if seconds is None or (key.has_frames and "frames" in request.metadata):
        return
    if seconds not in key.durations:
        raise UnsupportedParameterError(
            "duration", f"{key.name} makes no video of {seconds} seconds.", allowed=key.durations
        )
    if key.has_frames:
        draft.body["frames"] = _FRAMES_PER_SECOND * int(seconds) + 1


def _write_ratio(request: VideoRequest, key: ReqKey, pictures: int, draft: _Draft) -> None:
    has_vendor_ratio = "aspect_ratio" in request.metadata
    has_picture = pictures > 0 or key.images[0] > 0
    possible = key.picture_ratios if has_picture else key.text_ratios
    fit = _fit_size(request, key, () if has_vendor_ratio else possible)
    if fit.adjusted:
        draft.adjusted.append(fit.adjusted)
    if has_vendor_ratio:
        return
    if fit.ignored:
        draft.ignored.append("size")
    if fit.ratio:
        draft.body["aspect_ratio"] = fit.ratio
    elif key.needs_ratio:
        # What the service itself takes for a text; with a picture it insists on being told.
        draft.body["aspect_ratio"] = "16:9"
        draft.adjusted.append("aspect_ratio=16:9")


def _fit_size(request: VideoRequest, key: ReqKey, ratios: tuple[str, ...]) -> SizeFit:
    if request.width is not None and request.height is not None:
        exact = key.sizes.get((request.width, request.height))
        if exact:
            return SizeFit(tier=key.tier, ratio=exact if exact in ratios else None)
        if min(request.width, request.height) > _SHORT_SIDES[key.tier] * _MOST_OVER_TIER:
            raise UnsupportedParameterError(
                "size",
                f"{key.name} makes nothing as large as {request.width}x{request.height}.",
                allowed=(key.tier,),
            )
    return fit_size(request, tiers=(key.tier,), ratios=ratios, has_frame=not ratios)


def _write_camera(request: VideoRequest, draft: _Draft) -> None:
    if request.metadata.get("template_id") is None:
        raise UnsupportedParameterError(
            "metadata.template_id",
            "The camera key needs to know the movement.",
            allowed=CAMERA_TEMPLATES,
        )
    if "camera_strength" not in request.metadata:
        draft.body["camera_strength"] = "medium"
        draft.adjusted.append("camera_strength=medium")


def _write_unknown(request: VideoRequest, draft: _Draft) -> None:
    """Say everything in the words that all known keys share; the provider judges."""
    if request.prompt:
        draft.body["prompt"] = request.prompt
    _write_pictures(request, draft)
    _write_seed(request, draft)
    if request.duration_seconds is not None:
        draft.body["frames"] = round(_FRAMES_PER_SECOND * request.duration_seconds) + 1
    if request.width and request.height:
        divisor = math.gcd(request.width, request.height)
        ratio = f"{request.width // divisor}:{request.height // divisor}"
        draft.body["aspect_ratio"] = ratio
        if "aspect_ratio" not in request.metadata:
            draft.adjusted.append(f"size={ratio}")
    elif request.aspect_ratio is not None:
        draft.body["aspect_ratio"] = request.aspect_ratio


def _write_pictures(request: VideoRequest, draft: _Draft) -> None:
    if _has_vendor_pictures(request):
        return
    urls = [image.url for image in request.images if image.url is not None]
    inline = [_base64(image.content) for image in request.images if image.content is not None]
    if urls:
        draft.body[_URLS] = urls
    if inline:
        draft.body[_INLINE] = inline


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _check_pictures(images: tuple[Image, ...], key: ReqKey, allowed: tuple[int, ...]) -> None:
    if len(images) not in allowed:
        raise UnsupportedParameterError(
            "images",
            f"The number of pictures cannot be {len(images)} here ({key.name}).",
            allowed=allowed,
        )
    inline = [image for image in images if image.content is not None]
    if inline and len(inline) != len(images):
        raise UnsupportedParameterError(
            "images", "Send all pictures as URLs, or all of them inline; they cannot be mixed."
        )
    for image in inline:
        if image.media_type not in {"image/jpeg", "image/png"}:
            raise UnsupportedParameterError(
                "images",
                f"{key.name} does not take this kind of picture.",
                allowed=("JPEG", "PNG"),
            )
        if image.content is not None and len(image.content) > _MOST_PICTURE_BYTES:
            raise UnsupportedParameterError(
                "images", f"A picture may have at most {_MOST_PICTURE_BYTES} bytes."
            )


def _has_vendor_pictures(request: VideoRequest) -> bool:
    """Whether `metadata` brings the pictures; the generic ones then give way to it."""
    return any(request.metadata.get(name) is not None for name in (_URLS, _INLINE))


def _count_pictures(request: VideoRequest) -> int:
    if not _has_vendor_pictures(request):
        return len(request.images)
    fields = (request.metadata.get(name) for name in (_URLS, _INLINE))
    return sum(
        len(value) if isinstance(value, list) else 1 for value in fields if value is not None
    )


def _refuse_changes(draft: _Draft) -> None:
    if draft.ignored:
        raise UnsupportedParameterError(
            draft.ignored[0], f"The model has no use for {', '.join(draft.ignored)}."
        )
    if draft.adjusted:
        name, _, value = draft.adjusted[0].partition("=")
        raise UnsupportedParameterError(name, f"It can only be met as {value}.")


def _seconds(body: dict[str, Any], key: ReqKey | None) -> float | None:
    """The duration that the final body asks for, which is what it is billed by."""
    if "frames" not in body:
        return float(key.durations[0]) if key else None
    frames = _frames(body["frames"])
    if frames is not None:
        return (frames - 1) / _FRAMES_PER_SECOND
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
