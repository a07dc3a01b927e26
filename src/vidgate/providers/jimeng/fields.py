"""Jimeng's words for what clients call alike everywhere, and what its fields may say.

Source: the pages under https://www.volcengine.com/docs/85621/, read 2026-11-20.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.fields import (
    SWITCH,
    Body,
    Check,
    Fields,
    Form,
    Length,
    OneOf,
    Rule,
    is_given,
)
from vidgate.providers.jimeng.keys import INLINE_FIELD, KEYS, LIST_FIELD, URL_FIELD, ReqKey
from vidgate.providers.jimeng.models import FAMILY_NAMES
from vidgate.providers.sizes import read_tier
from vidgate.providers.words import Meaning, Vocabulary

__all__ = [
    "FORMS",
    "LABEL_FIELDS",
    "PICTURES",
    "POLL_FIELD",
    "check_fields",
    "check_foreign",
    "label_text",
    "tier_of",
    "to_vocabulary",
]

POLL_FIELD = "req_json"
"""The member of a poll that carries the label: JSON, written as text."""

_META = "aigc_meta"

LABEL_FIELDS = frozenset({POLL_FIELD, _META})
"""Members of `metadata` that ask for it."""

_REQUIRED = ("producer_id", "content_propagator")
_MEMBERS = (*_REQUIRED, "content_producer", "propagate_id")
_LONGEST_MEMBER = 256
"""In characters. Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20"""

_LONGEST_TEXT = 4096
"""In characters; it is kept with the job and sent with every poll."""

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


# What a field may say


@dataclass(frozen=True, slots=True)
class _Shaped:
    """A value of one form, whatever it says."""

    is_one: Callable[[Any], bool]
    says: str
    samples: tuple[Any, Any]

    def refuse(self, name: str, value: Any, told: str) -> None:  # noqa: ARG002 - of every model
        """Refuse another form."""
        if not self.is_one(value):
            raise UnsupportedParameterError(name, f"{name} is {self.says}.")


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower().startswith(("http://", "https://"))


def _are_links(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_link, value))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_URL = "https://a.test/"
_LINK = _Shaped(_is_link, "an http or https URL", (_URL, "a.test"))
_LINKS = _Shaped(_are_links, "an array of http and https URLs", ([_URL], _URL))
_TEXTS = _Shaped(_are_texts, "an array of text", (["AAAA"], "AAAA"))
_WHOLE = _Shaped(_is_whole, "a whole number", (7, "7"))

PICTURES: Mapping[str, _Shaped] = {
    LIST_FIELD: _LINKS,
    INLINE_FIELD: _TEXTS,
    # A list of one is the provider's to judge.
    URL_FIELD: replace(_LINK, is_one=lambda value: _is_link(value) or _are_links(value)),
}
"""What a field with pictures may say, where it says anything."""

_NEEDED: Mapping[str, tuple[str, Mapping[str, Check]]] = {
    "template_id": ("the camera movement", {}),
    "video_url": ("the URL of the video whose movement the picture takes on", {"video_url": _LINK}),
    "audio_url": ("the URL of the sound that the picture speaks", {"audio_url": _LINK}),
}
"""What a vendor field holds that a key cannot do without, and what it may say."""


# The tables


def _checks(key: ReqKey, *, has_picture: bool) -> Iterator[tuple[str, Check]]:
    if key.prompt_limit is not None:
        yield "prompt", Length(0, key.prompt_limit)
    if key.has_seed:
        yield "seed", _WHOLE
    for name, allowed in {
        "frames": key.frames,
        "aspect_ratio": key.picture_ratios if has_picture else key.text_ratios,
        "output_resolution": key.resolutions,
        **key.choices,
    }.items():
        if allowed:
            yield name, OneOf(allowed, as_number=isinstance(allowed[0], int))
    yield from ((name, SWITCH) for name in key.switches)
    yield from ((name, _LINKS) for name in key.link_lists)
    for name in key.needs:
        yield from _NEEDED[name][1].items()


def _rules(key: ReqKey, *, has_picture: bool) -> Iterator[Rule]:
    for name in key.needs:
        what, allowed = _NEEDED[name][0], key.choices.get(name, ())
        yield Rule(name, _lacks(name), f"{{model}} needs {what}.", allowed)
    if key.has_prompt:
        yield Rule("prompt", _has_odd_prompt, "A prompt is text.")
        if key.needs_prompt or not has_picture:
            yield Rule("prompt", _has_no_prompt, "{model} needs a prompt.")


def _lacks(name: str) -> Callable[[Body], bool]:
    return lambda body: not is_given(body.get(name))


def _has_odd_prompt(body: Body) -> bool:
    return not isinstance(body.get("prompt", ""), str)


def _has_no_prompt(body: Body) -> bool:
    return not body.get("prompt", "").strip()


def _place(key: ReqKey, pictures: int) -> str:
    fewest, most = key.images
    return "picture" if max(fewest, min(pictures, most)) else "text"


FORMS: Mapping[tuple[str, str], Form] = {
    (key.name, place): Form(
        checks=dict(_checks(key, has_picture=place == "picture")),
        rules=tuple(_rules(key, has_picture=place == "picture")),
    )
    for key in KEYS.values()
    for place in dict.fromkeys(_place(key, pictures) for pictures in key.images)
}
"""What each key takes, without a picture and with one.

Only what the pages state is judged: what they leave open passes, such as the largest seed.
"""

_FIELDS = Fields(
    {key.name: key.fields for key in KEYS.values()},
    nothing=(None, "", [], {}),  # but not false: a switch that is off is another key's too
)


def check_foreign(metadata: Mapping[str, Any], key: ReqKey) -> None:
    """Refuse a field that other keys take and this one would drop without a word.

    Fields that belong to no key of ours pass, and so does what asks for nothing: one that is empty,
    and `frames` that are as many as the key makes anyway, which new-api sends to every key.

    Raises:
        UnsupportedParameterError: It names the field, and the keys that take it.
    """
    # Every dialect has a prompt, and some demand it: a key without it says so in the answer.
    passed = ["prompt"]
    if str(metadata.get("frames")) in map(str, key.frames):
        passed.append("frames")
    _FIELDS.refuse_foreign(metadata, key.name, told=key.name, passed=passed)


def check_fields(body: Body, key: ReqKey, *, pictures: int, names: Mapping[str, str]) -> None:
    """Refuse what the key cannot honour, whoever wrote it, before it costs a call.

    Args:
        body: As it would be sent.
        key: Whose tables hold.
        pictures: How many there are.
        names: What the client calls a field, where that is not the provider's name.

    Raises:
        UnsupportedParameterError: It names the field, and what is allowed.
    """
    form = FORMS[key.name, _place(key, pictures)]
    for name, check in form.checks.items():
        if body.get(name) == "":
            check.refuse(names.get(name, name), "", key.name)  # not as good as absent here
    form.judge(body, told=key.name, names=names)


# The implicit label of generated content


def label_text(metadata: Mapping[str, Any]) -> str:
    """Write `req_json` of the polls from `metadata`, empty where it asks for none.

    The provider would judge it only when the job exists, and refuse every poll for it; so it is
    judged here.

    Raises:
        UnsupportedParameterError: The provider would not take it.
    """
    asked, meta = metadata.get(POLL_FIELD), metadata.get(_META)
    if asked is None and meta is None:
        return ""
    members = {} if asked is None else _object(asked, POLL_FIELD)
    if meta is not None:
        members[_META] = _object(meta, _META)
    if members.get(_META) is not None:
        _check(members[_META])
    is_written = isinstance(asked, str) and meta is None
    text = str(asked) if is_written else json.dumps(members, separators=(",", ":"))
    if len(text) > _LONGEST_TEXT:
        raise _refusal(POLL_FIELD, f"It may have at most {_LONGEST_TEXT} characters.")
    return text


def _object(value: Any, name: str) -> dict[str, Any]:
    """Read an object, which may be written as text, as the provider's own form is."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping):
        raise _refusal(name, "It must be a JSON object, or one written as text.")
    return dict(value)


def _refuse_constant(word: str) -> None:
    raise ValueError(word)


def _check(meta: Any) -> None:
    if not isinstance(meta, Mapping):
        raise _refusal(_META, "It must be a JSON object.")
    for name in _REQUIRED:
        if not meta.get(name):
            raise _refusal(_META, f"It needs {name}.")
    for name in _MEMBERS:
        value = meta.get(name)
        if value is not None and not (isinstance(value, str) and len(value) <= _LONGEST_MEMBER):
            raise _refusal(_META, f"{name} is text of at most {_LONGEST_MEMBER} characters.")


def _refusal(name: str, sentence: str) -> UnsupportedParameterError:
    return UnsupportedParameterError(f"metadata.{name}", sentence)
