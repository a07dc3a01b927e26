"""Fields of a body for a server that is nobody in particular: it is asked to judge nearly all.

Every word goes on as it came, for whoever is behind the server; that its format does not have it is
told. Source: OpenAI's SDK for Python, 2.x, and new-api's documentation, read 2026-11-20.
"""

from collections.abc import Mapping
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.fields import fold, refuse_misspelled
from vidgate.providers.openai_compatible.bodies import METADATA
from vidgate.providers.words import Meaning, Vocabulary

__all__ = ["SOUNDS", "VOCABULARY", "check_vendor_fields", "flattened"]

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

SOUNDS = ("audio", "generate_audio", "sound")
_PRICED = ("seconds", "duration", "size", "resolution", "mode", *SOUNDS, "off_peak")
_FOLDED = fold((*_OURS, *_PRICED))


def flattened(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The vendor fields, with those taken out that a client put into a `metadata` of their own.

    It is where they are sent anyway, and nothing in it may be overlooked.

    Raises:
        UnsupportedParameterError: It is no object.
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


def check_vendor_fields(vendor: Mapping[str, Any]) -> None:
    """Refuse what would run something else than was checked, or is ours to say.

    Raises:
        UnsupportedParameterError: It names the field.
    """
    for name, value in vendor.items():
        refuse_misspelled([name], _FOLDED, whose="servers spell it")
        is_one = name == "n" and value == 1 and not isinstance(value, bool)
        if name in _OURS and value is not None and not is_one:
            raise UnsupportedParameterError(name, _OURS[name])
