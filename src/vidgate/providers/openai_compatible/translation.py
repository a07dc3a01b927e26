"""From our request to the body of `POST /v1/videos`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import LONG_PACE, OFF_PEAK_PACE, RunFacts, Translation
from vidgate.providers.draft import Draft, refuse_zero, to_whole
from vidgate.providers.fields import to_number
from vidgate.providers.openai_compatible.bodies import INPUT_REFERENCE, METADATA
from vidgate.providers.openai_compatible.fields import SOUNDS, check_vendor_fields, flattened
from vidgate.providers.openai_compatible.follow_ups import take_source
from vidgate.providers.pictures import to_data_uri
from vidgate.providers.sizes import read_tier
from vidgate.providers.words import read_switch

__all__ = ["VIDEOS", "to_translation"]

VIDEOS = "/videos"

_PICTURES = (INPUT_REFERENCE, "image", "images")
_FORMAT = frozenset({"model", "prompt", "seconds", "size", "seed", *_PICTURES})
"""What is said at the top level and nowhere else."""

_PACE = replace(LONG_PACE, first_ask=timedelta(seconds=15), max_interval=timedelta(seconds=20))
"""Any model may be behind it, and a queue: the quickest take 20 s, and a gateway may let its own
tasks wait. The SDK asks every second by default; that is more than a gateway needs."""

_OFF_PEAK_PACE = replace(OFF_PEAK_PACE, deadline=timedelta(hours=50))
"""Where a vendor field asks a vidgate for Vidu's slow queue, which follows it for 49 h."""

_TIERS: Mapping[int, str] = {1440: "2k", 2160: "4k", 4320: "8k"}
_PIXELS = re.compile(r"([1-9][0-9]{1,4})[xX*]([1-9][0-9]{1,4})")


def to_translation(request: VideoRequest) -> Translation:
    """Put a request in the words of the format.

    Raises:
        UnsupportedParameterError: A vendor field would run something else than was asked for.
    """
    refuse_zero(request)
    vendor, source = take_source(
        flattened(request.metadata), is_pinned=request.channel_id is not None
    )
    check_vendor_fields(vendor)
    draft = _to_draft(request, vendor)
    body = draft.finish()
    extras = {name: value for name, value in body.items() if name not in _FORMAT}
    if extras:
        body[METADATA] = extras
    facts = _to_facts(request.model, body)
    if source is not None:
        body |= source.body
        if not source.names_model:
            del body["model"]
    return Translation(
        endpoint=VIDEOS if source is None else source.endpoint,
        body=body,
        facts=facts,
        pace=_OFF_PEAK_PACE if facts.off_peak else _PACE,
        ignored=tuple(sorted(draft.ignored)),
        names=draft.names,
    )


# Generic fields


def _to_draft(request: VideoRequest, vendor: Mapping[str, Any]) -> Draft:
    """Write the generic fields."""
    draft = Draft(request, vendor, request.model)
    draft.body |= {"model": request.model, "prompt": request.prompt}
    draft.use("prompt", "duration", "size")
    if "duration" not in vendor:
        draft.duration("seconds", write=lambda seconds: f"{seconds:g}")
    if request.width is not None and request.height is not None:
        draft.put("size", "size", f"{request.width}x{request.height}")
    elif request.aspect_ratio is not None:
        # `size` is pixels in this format; a shape has no field, but a name that all vendors use.
        draft.put("size", "aspect_ratio", request.aspect_ratio)
    draft.seed()
    if any(name in vendor for name in _PICTURES):
        draft.idle(*filter(None, [request.last_frame if request.images else ""]))
    elif request.images:
        draft.use("image")
        draft.body |= _to_pictures(request.images, request.last_frame)
    return draft


def _to_pictures(images: Sequence[Image], last_frame: str) -> dict[str, Any]:
    if last_frame:  # the format has no such field, and two pictures may be references
        first, last = images
        return {**_to_pictures([first], ""), last_frame: last.url or to_data_uri(last)}
    if len(images) > 1:
        return {"images": [image.url or to_data_uri(image) for image in images]}
    (image,) = images
    if image.url is not None:
        return {INPUT_REFERENCE: {"image_url": image.url}}
    return {INPUT_REFERENCE: image.content or b""}


# What is run


def _to_facts(model: str, body: Mapping[str, Any]) -> RunFacts:
    # Servers differ in which of the two they read; the bill follows the longer one.
    numbers = [to_number(body.get(name)) for name in ("seconds", "duration")]
    lengths = [to_whole(number) for number in numbers if number is not None and number > 0]
    mode = body.get("mode")
    switches = [read_switch(body.get(name)) for name in SOUNDS]
    sounds = [switch for switch in switches if switch is not None]
    return RunFacts(
        model=model,
        duration_seconds=max(lengths, default=None),
        resolution=_to_tier(body),
        mode=mode if isinstance(mode, str) and mode else None,
        sound=any(sounds) if sounds else None,
        off_peak=body.get("off_peak") is True,
    )


def _to_tier(body: Mapping[str, Any]) -> str | None:
    asked = body.get("resolution")
    if isinstance(asked, str) and asked.strip():
        return read_tier(asked) or asked.strip()
    size = body.get("size")
    found = _PIXELS.fullmatch(size.strip()) if isinstance(size, str) else None
    if found is None:
        return None
    short = min(int(found[1]), int(found[2]))
    return _TIERS.get(short, f"{short}p")
