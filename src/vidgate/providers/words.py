"""Words that clients use for every provider, decided once, before any adapter.

A word means the same whoever makes the video; each provider says in its `Vocabulary` which field
of its own has that meaning. What it has no field for is named as ignored. A body in a vendor's own
words is that vendor's alone, and is not looked into.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Action, Translation
from vidgate.providers.sizes import is_of_tier, read_tier

__all__ = [
    "NEWAPI_ACTIONS",
    "OURS",
    "WORDS",
    "Meaning",
    "Vocabulary",
    "read_switch",
    "translate_words",
    "wanted_action",
]


class Meaning(StrEnum):
    """What a word says; the value is what it is called where nothing else is known."""

    TIER = "resolution"
    RATIO = "aspect_ratio"
    SOUND = "audio"
    MODE = "mode"
    NEGATIVE_PROMPT = "negative_prompt"
    WATERMARK = "watermark"


WORDS: Mapping[str, Meaning] = MappingProxyType(
    {
        "resolution": Meaning.TIER,
        "aspect_ratio": Meaning.RATIO,
        "ratio": Meaning.RATIO,
        "audio": Meaning.SOUND,
        "generate_audio": Meaning.SOUND,
        "sound": Meaning.SOUND,
        "mode": Meaning.MODE,
        "negative_prompt": Meaning.NEGATIVE_PROMPT,
        "watermark": Meaning.WATERMARK,
    }
)
"""Beside other fields or in `metadata`. A last frame is a picture, read with the others."""

NEWAPI_ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "textGenerate": Action.TEXT,
        "generate": Action.FIRST_FRAME,
        "firstTailGenerate": Action.FIRST_LAST_FRAME,
        "referenceGenerate": Action.REFERENCES,
    }
)
"""What new-api calls the actions, in `metadata.action`."""

_SWITCHES: Mapping[Any, bool] = MappingProxyType(
    {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
)

OURS = frozenset({"action", "callback_url", "external_task_id", "model", "model_name", "payload"})
"""Members of `metadata` that are no vendor's unknown business: they are ours, or echoed by us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What one provider calls things.

    Attributes:
        fields: Its own field for a meaning; without one the word is ignored and named.
        values: How it writes what it writes in another way, by meaning.
        has_tier_models: Whether the model decides the tier, so that it stays with the request.
        passes: Whether words without a field go on as they came, for the provider to judge.
        documented: Every top-level field in its documentation.
        last_frame: What the adapter calls the last frame, or the action that needs one, in errors.
        frame_action: The `action` that makes two pictures the ends, where their number does not.
    """

    fields: Mapping[Meaning, str]
    values: Mapping[Meaning, Mapping[Any, Any]] = field(default_factory=dict)
    has_tier_models: bool = False
    passes: bool = False
    documented: Collection[str]
    last_frame: tuple[str, ...] = ("images",)
    frame_action: str = ""


def translate_words(
    request: VideoRequest, vocabulary: Vocabulary, translate: Callable[[VideoRequest], Translation]
) -> Translation:
    """Translate a request whose words are decided first.

    Raises:
        UnsupportedParameterError: Two words contradict each other, or as `translate`; it names the
            field as the client does.
    """
    idle, names = list[str](), dict[str, str]()
    if request.vendor_format is None:
        request, idle, names = _hear(request, vocabulary)
    try:
        translation = translate(request)
    except UnsupportedParameterError as error:
        error.param = names.get(error.param or "", error.param)
        raise
    adjusted = tuple(_renamed(one, names) for one in translation.adjusted)
    ignored = (*(names.get(name, name) for name in translation.ignored), *idle)
    ignored = tuple(dict.fromkeys(ignored))
    unknown = [
        names.get(name, name)
        for name, value in request.metadata.items()
        if value is not None and not {name} & {*OURS, *vocabulary.documented, *ignored}
    ]
    return replace(
        translation,
        ignored=ignored,
        adjusted=adjusted,
        unknown=tuple(sorted(unknown)),
        names={**translation.names, **names},
    )


def wanted_action(
    metadata: Mapping[str, Any], offered: Collection[Action], *, param: str = "action"
) -> Action | None:
    """Read `action`, in new-api's words or in ours; `None` where it is not given.

    Args:
        metadata: The vendor fields.
        offered: What the provider has at all.
        param: What an error calls it.

    Raises:
        UnsupportedParameterError: It names nothing of that.
    """
    word = metadata.get("action")
    if word is None or word == "":
        return None
    words = {**NEWAPI_ACTIONS, **{action.value: action for action in offered}}
    action = words.get(word) if isinstance(word, str) else None
    if action is None:
        allowed = [one.value for one in offered]
        raise UnsupportedParameterError(param, "There is no such action.", allowed=allowed)
    return action


def _renamed(change: str, names: Mapping[str, str]) -> str:
    """What was adjusted, by the client's name."""
    name, mark, value = change.partition("=")
    return f"{names.get(name, name)}{mark}{value}"


def read_switch(value: Any) -> bool | None:
    """Read what is on or off; `None` for anything else, which the provider may judge."""
    if isinstance(value, bool):
        return value
    return _SWITCHES.get(value.strip().lower()) if isinstance(value, str) else None


_READERS: Mapping[Meaning, Callable[[Any], Any]] = MappingProxyType(
    {Meaning.TIER: read_tier, Meaning.SOUND: read_switch, Meaning.WATERMARK: read_switch}
)
"""Of the others every value is the provider's to judge."""


def _hear(
    request: VideoRequest, vocabulary: Vocabulary
) -> tuple[VideoRequest, list[str], dict[str, str]]:
    """Put a request in the words of one provider.

    Returns:
        It; the words without a field; what the client wrote, by the field that stands for it now.
    """
    metadata = dict(request.metadata)
    said = _take(metadata, request.tier)
    tier = said.get(Meaning.TIER)
    if tier is not None:
        _check_size(request, *tier)
    ignored = []
    # A vendor field of the same name is meant by that name.
    names = {own: name for own, name in request.names.items() if own not in metadata}
    for meaning, (name, value) in said.items():
        own = vocabulary.fields.get(meaning)
        if meaning is Meaning.TIER and vocabulary.has_tier_models:
            request, names["size"] = replace(request, tier=value), name
        elif own is not None:
            table = vocabulary.values.get(meaning)
            written = request.metadata[name] if own == name else value
            _put(metadata, own, written if table is None else table.get(value, written), name)
            names[own] = name
        elif vocabulary.passes and name in request.metadata:
            metadata[name] = request.metadata[name]
        elif value is not False:
            ignored.append(name)
    if request.last_frame:
        names |= dict.fromkeys((*vocabulary.last_frame, "action"), request.last_frame)
        if vocabulary.frame_action and not metadata.get("action"):
            metadata["action"] = vocabulary.frame_action
    if not vocabulary.has_tier_models:
        request = replace(request, tier=None)
    # In the client's order: an error is about the first field that is wrong.
    order = [name for name in request.metadata if name in metadata]
    metadata = {name: metadata[name] for name in (*order, *metadata)}
    return replace(request, metadata=metadata), ignored, names


def _take(metadata: dict[str, Any], tier: str | None) -> dict[Meaning, tuple[str, Any]]:
    """Take the words out of the vendor fields: of each meaning the client's name and the value."""
    said: dict[Meaning, tuple[str, Any]] = {}
    if tier is not None:
        said[Meaning.TIER] = ("size", tier)
    for name, meaning in WORDS.items():
        written = metadata.get(name)
        if written is None or written == "":
            continue
        reader = _READERS.get(meaning)
        value = written if reader is None else reader(written)
        if value is None:
            continue  # a vendor's own word, or nobody's
        earlier, other = said.setdefault(meaning, (name, value))
        if other != value:
            raise _contradiction(name, earlier)
        del metadata[name]
    return said


def _put(metadata: dict[str, Any], own: str, value: Any, name: str) -> None:
    given = metadata.get(own)
    if given not in (None, "", {}, value):
        raise _contradiction(name, own)
    metadata[own] = value


def _check_size(request: VideoRequest, name: str, tier: str) -> None:
    width, height = request.width, request.height
    if width is not None and height is not None and not is_of_tier(width, height, tier):
        raise UnsupportedParameterError(
            name, f"{name} says {tier}, and the size {width}x{height}; send one of them."
        )


def _contradiction(name: str, other: str) -> UnsupportedParameterError:
    return UnsupportedParameterError(
        name, f"{other} and {name} mean the same and differ; send one of them."
    )
