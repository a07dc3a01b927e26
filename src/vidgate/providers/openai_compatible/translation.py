"""From our request to the body of `POST /v1/videos`.

A server is nobody in particular: it is asked to judge nearly all. Every word goes on as it came,
for whoever is behind it; that its format does not have it is told. Source: OpenAI's SDK for Python,
2.x, and new-api's documentation, read 2026-11-20.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.base import LONG_PACE, OFF_PEAK_PACE, RunFacts, Translation
from vidgate.providers.draft import Draft, refuse_zero, to_whole
from vidgate.providers.fields import fold, refuse_misspelled, to_number
from vidgate.providers.openai_compatible.bodies import INPUT_REFERENCE, METADATA
from vidgate.providers.openai_compatible.follow_ups import take_source
from vidgate.providers.pictures import to_data_uri
from vidgate.providers.sizes import read_tier
from vidgate.providers.words import Meaning, Vocabulary, read_switch

__all__ = ["VOCABULARY", "to_translation"]

_PICTURES = (INPUT_REFERENCE, "image", "images")
_FORMAT = frozenset({"model", "prompt", "seconds", "size", "seed", *_PICTURES})
"""What is said at the top level and nowhere else."""

_PACE = replace(LONG_PACE, first_ask=timedelta(seconds=15), max_interval=timedelta(seconds=20))
"""Any model may be behind it, and a queue: the quickest take 20 s, and a gateway may let its own
tasks wait. The SDK asks every second by default; that is more than a gateway needs."""

_OFF_PEAK_PACE = replace(OFF_PEAK_PACE, deadline=timedelta(hours=50))
"""Where a vendor field asks a vidgate for Vidu's slow queue, which follows it for 49 h."""

VOCABULARY = Vocabulary(
    # A size that is a tier has no other field; a shape has the name that all vendors use.
    fields={Meaning.TIER: "resolution", Meaning.RATIO: "aspect_ratio"},
    passes=True,
    documented=frozenset(
        {
            *("prompt", "seconds", "size", "input_reference", "video"),
            *("duration", "fps", "height", "width", "image", "images", "metadata"),
            *("n", "response_format", "seed", "user"),
        }
    ),
)

_OURS: Mapping[str, str] = {
    "model": "Name the model in the field model of the request.",
    "model_name": "Name the model in the field model of the request.",
    "callback_url": "Give callback_url in metadata itself, not deeper.",
    "webhook_url": "Give callback_url in metadata for a webhook.",
    "n": "Give the number of videos in the field n of the request.",
}
"""What would run or pay for something else than was checked, or tell a client of foreign ids."""

_SOUNDS = ("audio", "generate_audio", "sound")
_PRICED = ("seconds", "duration", "size", "resolution", "mode", *_SOUNDS, "off_peak")
_FOLDED = fold((*_OURS, *_PRICED))

_TIERS: Mapping[int, str] = {1440: "2k", 2160: "4k", 4320: "8k"}
_PIXELS = re.compile(r"([1-9][0-9]{1,4})[xX*]([1-9][0-9]{1,4})")


def to_translation(request: VideoRequest) -> Translation:
    """Put a request in the words of the format.

    Raises:
        UnsupportedParameterError: A vendor field would run something else than was asked for.
    """
    refuse_zero(request)
    vendor, source = take_source(
        _flattened(request.metadata), is_pinned=request.channel_id is not None
    )
    _check_vendor_fields(vendor)
    draft = _to_draft(request, vendor)
    body = draft.finish()
    extras = {name: value for name, value in body.items() if name not in _FORMAT}
    if extras:
        body[METADATA] = extras
    facts = _to_facts(request.model, body)
    body |= source.body
    if not source.names_model:
        del body["model"]
    return Translation(
        endpoint=source.endpoint,
        body=body,
        facts=facts,
        pace=_OFF_PEAK_PACE if facts.off_peak else _PACE,
        ignored=tuple(sorted(draft.ignored)),
        names=draft.names,
    )


# Vendor fields


def _flattened(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The vendor fields, with those taken out that a client put into a `metadata` of their own.

    It is where they are sent anyway, and nothing in it may be overlooked.
    """
    fields = dict(metadata)
    while METADATA in fields:
        inner = fields.pop(METADATA)
        if inner is None:
            continue
        if not isinstance(inner, Mapping):
            raise UnsupportedParameterError(METADATA, "metadata inside metadata must be an object.")
        fields |= inner
    return fields


def _check_vendor_fields(vendor: Mapping[str, Any]) -> None:
    """Refuse what would run something else than was checked, or is ours to say."""
    for name, value in vendor.items():
        refuse_misspelled([name], _FOLDED, whose="servers spell it")
        is_one = name == "n" and value == 1 and not isinstance(value, bool)
        if name in _OURS and value is not None and not is_one:
            raise UnsupportedParameterError(name, _OURS[name])


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
    switches = [read_switch(body.get(name)) for name in _SOUNDS]
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
