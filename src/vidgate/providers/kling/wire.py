"""What every shape of a Kling request body has in common.

Each shape writes a body, and reads the merged one back: what is paid for follows what is sent,
whoever wrote it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Action, RunFacts
from vidgate.providers.kling.models import Product, Traits
from vidgate.providers.kling.words import is_given, to_legacy_words

__all__ = [
    "DEFAULT_DURATION_SECONDS",
    "LARGER_PICTURES",
    "PICTURES",
    "SOUNDS",
    "Inputs",
    "Overridden",
    "Wire",
    "Wish",
    "is_given",
    "objects",
    "require",
    "to_duration",
    "to_word",
]

DEFAULT_DURATION_SECONDS = 5
"""On every endpoint that has a duration, when none is asked for."""

_MEBIBYTE = 1024 * 1024
PICTURES = 10 * _MEBIBYTE
"""The largest inline picture, decoded, of the legacy API."""
LARGER_PICTURES = 50 * _MEBIBYTE
"""The same, of the new one."""

SOUNDS = MappingProxyType(
    {"on": True, "true": True, "native": True, "off": False, "false": False, "original": False}
    | {"": False}
)
"""Whether sound is made, by `sound` or `settings.audio`; the client's own video's is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a request brings beside words, `metadata` included.

    Attributes:
        action: What follows from it.
        gives_shape: Whether a first frame, or a video to edit, gives the video its shape.
        needs_ratio: Whether the vendor wants an aspect ratio because nothing else gives a shape.
        gives_length: Whether a video to edit, or a sound to speak, gives the video its length.
        has_sound: Whether the vendor is told to make sound.
        has_video: Whether there is a video to refer to.
        elements: How many elements there are beside the pictures.
    """

    action: Action
    gives_shape: bool = False
    needs_ratio: bool = False
    gives_length: bool = False
    has_sound: bool = False
    has_video: bool = False
    elements: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """Which generic fields `metadata` replaces or removes, so that their values say nothing."""

    prompt: bool = False
    duration: bool = False
    tier: bool = False
    ratio: bool = False
    pictures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The generic fields, checked; empty or `None` is not sent.

    Attributes:
        as_frames: Whether pictures are frames where they would be references.
    """

    prompt: str
    pictures: tuple[str, ...]
    duration: int | float | None
    tier: str | None
    ratio: str | None
    as_frames: bool = False


class Wire(ABC):
    """One shape of body."""

    max_image_bytes: ClassVar[int] = PICTURES
    has_duration: ClassVar[bool] = True
    has_prompt: ClassVar[bool] = True

    def hear(
        self, over: Mapping[str, Any], traits: Traits, product: Product
    ) -> tuple[Self, dict[str, Any]]:
        """Put what `metadata` says in the other generation's words in this body's own.

        Returns:
            What writes this one body, and the fields that are left.

        Raises:
            UnsupportedParameterError: There is nothing like a word here.
        """
        return self, to_legacy_words(over, traits, product)

    def take(self, over: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Part `metadata` in what is put elsewhere in the body, and what is laid over it."""
        return {}, dict(over)

    @abstractmethod
    def inputs(
        self,
        pictures: Sequence[str],
        over: Mapping[str, Any],
        traits: Traits,
        *,
        as_frames: bool = False,
    ) -> Inputs:
        """Read what there is to work with."""

    @abstractmethod
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        """Read which generic fields have no effect."""

    @abstractmethod
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write the body, before `metadata` is laid over it."""

    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:  # noqa: B027 - most have nothing to check
        """Refuse a merged body without what the endpoint cannot do without.

        Raises:
            UnsupportedParameterError: It names what is missing.
        """

    @abstractmethod
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        """Read from the merged body what is run."""


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def require(body: Mapping[str, Any], field: str, why: str, *allowed: str) -> None:
    """Refuse a body that does not have a field.

    Raises:
        UnsupportedParameterError: It has not.
    """
    if not is_given(body.get(field)):
        raise UnsupportedParameterError(field, why, allowed=allowed)


def to_word(value: Any) -> str:
    """Spelt as the vendor may take it: a price must not be escaped by a capital letter."""
    return "" if value is None else str(value).strip().lower()


def to_duration(value: Any, inputs: Inputs) -> float | None:
    """Seconds; `None` where the length of a video decides, or the value is no length."""
    if inputs.gives_length or isinstance(value, bool):
        return None
    if value is None or value == "":
        return float(DEFAULT_DURATION_SECONDS)
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None
