"""Jimeng's words for what clients call alike everywhere, and what its fields may say.

Source: the pages under https://www.volcengine.com/docs/85621/, read 2026-11-20.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import Image, VideoRequest
from vidgate.providers.jimeng.keys import INLINE_FIELD, KEYS, LIST_FIELD, URL_FIELD, ReqKey
from vidgate.providers.jimeng.media import check_inline
from vidgate.providers.jimeng.models import FAMILY_NAMES
from vidgate.providers.jimeng.polls import LABEL_FIELDS
from vidgate.providers.pieces import decode_base64
from vidgate.providers.sizes import read_tier
from vidgate.providers.words import Meaning, Vocabulary

__all__ = ["check_fields", "check_foreign", "tier_of", "to_vocabulary"]

_COMMON = frozenset({"req_key", "return_url", "logo_info", LIST_FIELD, INLINE_FIELD, URL_FIELD})

_VOCABULARY = Vocabulary(
    fields={Meaning.RATIO: "aspect_ratio"},
    has_tier_models=True,
    documented=frozenset().union(*(key.fields for key in KEYS.values()), _COMMON, LABEL_FIELDS),
    last_frame=("images", "metadata.action"),
)
_UNKNOWN_KEY = replace(_VOCABULARY, has_tier_models=False, passes=True)


def to_vocabulary(request: VideoRequest) -> Vocabulary:
    """Find the words of what a request is for."""
    names = {request.model, str(request.metadata.get("req_key"))}
    return _VOCABULARY if names & {*KEYS, *FAMILY_NAMES} else _UNKNOWN_KEY


def tier_of(request: VideoRequest) -> str | None:
    """The tier that a request asks for, in whatever words; `None` where it names none."""
    if request.vendor_format is not None:
        return None
    sides = (request.width, request.height)
    short = min((side for side in sides if side is not None), default=None)
    return request.tier or read_tier(request.metadata.get("resolution")) or read_tier(short)


_LINKS = ("http://", "https://")
_LINK_FIELDS = ("video_url", "audio_url")

_NAMED_AS_IGNORED = frozenset({"prompt"})
"""Every dialect has it, and some demand it: a key without it says so in the answer."""


def check_foreign(metadata: Mapping[str, Any], key: ReqKey) -> None:
    """Refuse a field that other keys take and this one would drop without a word.

    Fields that belong to no key of ours pass, and so does what asks for nothing: one that is empty,
    and `frames` that are as many as the key makes anyway, which new-api sends to every key.

    Raises:
        UnsupportedParameterError: It names the field, and the keys that take it.
    """
    for name, value in metadata.items():
        if name in key.fields or name in _NAMED_AS_IGNORED or value in (None, "", [], {}):
            continue
        if name == "frames" and _is_one_of(value, key.frames):
            continue
        takers = [other.name for other in KEYS.values() if name in other.fields]
        if takers:
            raise UnsupportedParameterError(
                name, f"{key.name} has no {name}; it is a field of {', '.join(takers)}."
            )


def check_fields(body: Mapping[str, Any], key: ReqKey, *, with_inline: bool) -> None:
    """Refuse what the key cannot honour, whoever wrote it, before it costs a call.

    Only what the pages state is judged: fields that are none of the key's pass, and so does what
    the pages leave open, such as the largest seed.

    Args:
        body: As it would be sent.
        key: Whose tables hold.
        with_inline: Whether to look into the inline pictures, which takes time.

    Raises:
        UnsupportedParameterError: It names the field as the provider does, and what is allowed.
    """
    pictures = _check_pictures(body, key)
    if with_inline:
        _check_inline(body, key)
    _check_prompt(body, key, pictures)
    seed = body.get("seed", 0)
    if key.has_seed and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise UnsupportedParameterError("seed", "A seed is a whole number.")
    ratios = key.picture_ratios if pictures else key.text_ratios
    for name, allowed in {
        "frames": key.frames,
        "aspect_ratio": ratios,
        "output_resolution": key.resolutions,
        **key.choices,
    }.items():
        if name in body and allowed and not _is_one_of(body[name], allowed):
            raise UnsupportedParameterError(
                name, f"{key.name} does not take this value.", allowed=allowed
            )
    _check_forms(body, key)


def _check_forms(body: Mapping[str, Any], key: ReqKey) -> None:
    """Check fields that are of one type, whatever their value."""
    for name in key.switches:
        if name in body and not isinstance(body[name], bool):
            raise UnsupportedParameterError(name, f"{name} is a switch.", allowed=("true", "false"))
    for name in key.link_lists:
        value = body.get(name, [])
        if not isinstance(value, list) or not all(map(_is_link, value)):
            raise UnsupportedParameterError(name, f"{name} is an array of http and https URLs.")
    for name in _LINK_FIELDS:
        if name in key.needs and not _is_link(body.get(name)):
            raise UnsupportedParameterError(name, f"{name} is an http or https URL.")


def _check_prompt(body: Mapping[str, Any], key: ReqKey, pictures: int) -> None:
    if not key.has_prompt:
        return
    prompt = body.get("prompt", "")
    if not isinstance(prompt, str):
        raise UnsupportedParameterError("prompt", "A prompt is text.")
    if not prompt.strip() and (key.needs_prompt or not pictures):
        raise UnsupportedParameterError("prompt", f"{key.name} needs a prompt.")
    if key.prompt_limit is not None and len(prompt) > key.prompt_limit:
        raise UnsupportedParameterError(
            "prompt", f"{key.name} takes at most {key.prompt_limit} characters."
        )


def _check_pictures(body: Mapping[str, Any], key: ReqKey) -> int:
    """Check how the pictures are written, and count them."""
    written = {name: body[name] for name in key.picture_fields if body.get(name)}
    for name, value in written.items():
        if name in {LIST_FIELD, INLINE_FIELD} and not _is_texts(value):
            raise UnsupportedParameterError(name, f"{name} is an array of text.")
        if name != INLINE_FIELD and not all(map(_is_link, _listed(value))):
            raise UnsupportedParameterError(name, f"{name} takes http and https URLs.")
    if len(written) > 1:
        raise UnsupportedParameterError(
            INLINE_FIELD, f"Send {LIST_FIELD} or {INLINE_FIELD}; both together are refused."
        )
    count = sum(len(_listed(value)) for value in written.values())
    fewest, most = key.images
    if not fewest <= count <= most:
        raise UnsupportedParameterError(
            next(iter(written), key.picture_fields[0]),
            f"The number of pictures cannot be {count} here ({key.name}).",
            allowed=range(fewest, most + 1),
        )
    return count


def _check_inline(body: Mapping[str, Any], key: ReqKey) -> None:
    if INLINE_FIELD not in key.picture_fields:
        return
    images = [Image(content=_decode(text)) for text in body.get(INLINE_FIELD) or ()]
    check_inline(images, key.picture_limits, param=INLINE_FIELD)


def _decode(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError:
        raise UnsupportedParameterError(
            INLINE_FIELD, "A picture in it is not valid base64."
        ) from None


def _is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    # A number written as text is the provider's to judge: no page speaks of it.
    return value in allowed or (isinstance(value, str) and value in map(str, allowed))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower().startswith(_LINKS)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
