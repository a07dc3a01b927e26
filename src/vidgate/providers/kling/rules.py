"""What the fields of a request say about one another.

Only models we know are judged.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Action, ActionCapabilities
from vidgate.providers.kling.models import OMNI_IMAGES, OMNI_IMAGES_BESIDE_VIDEO, Traits
from vidgate.providers.kling.wire import Inputs, Overridden, is_given, objects, to_duration

__all__ = ["check_grammar", "check_rules", "has_own_shots", "narrow"]

_SHOT = r"\s*(?:shot|镜头)\s*[0-9]{1,3}\s*[,，]\s*([0-9]{1,6})\s*[,，]\s*([^;；]*)[;；]"  # noqa: RUF001 - Chinese punctuation
_SHOTS = re.compile(rf"(?:{_SHOT})+\s*", re.IGNORECASE)
_ONE_SHOT = re.compile(_SHOT, re.IGNORECASE)
"""`shot 1, 3, words;`: number, seconds, text; on the Chinese site the word is Chinese."""

_MOST_SHOTS = 6
_SHOT_CHARACTERS = 512
_LEGACY_SHOT_MODELS = frozenset({"kling-v3", "kling-v3-omni"})
_SHOT_MODELS = frozenset({"kling-3.0-turbo", "kling-3.0", "kling-3.0-omni"})


def narrow(traits: Traits, inputs: Inputs, capabilities: ActionCapabilities) -> ActionCapabilities:
    """Leave the tiers that go with the sound that is asked for."""
    if not (inputs.has_sound and traits.sound_tiers and capabilities.tiers):
        return capabilities
    return replace(capabilities, tiers=traits.sound_tiers)


def has_own_shots(traits: Traits, over: Mapping[str, Any]) -> bool:
    """Whether `multi_prompt` has the words, so that the prompt is not used."""
    is_told = over.get("multi_shot") is True and over.get("shot_type") == "customize"
    return (
        is_told and traits.name in _LEGACY_SHOT_MODELS and bool(objects(over.get("multi_prompt")))
    )


def check_rules(
    request: VideoRequest,
    traits: Traits,
    inputs: Inputs,
    over: Mapping[str, Any],
    overridden: Overridden,
) -> None:
    """Refuse generic fields that do not go with the rest of the request.

    Raises:
        UnsupportedParameterError: It names the field.
    """
    if not traits.is_known:
        return
    if request.images and not overridden.pictures:
        _check_pictures(request, traits, inputs)
    chooses_shots = over.get("multi_shot") is True and over.get("shot_type") == "intelligence"
    has_words = is_given(request.prompt) or is_given(over.get("prompt"))
    if chooses_shots and traits.name in _LEGACY_SHOT_MODELS and not has_words:
        raise UnsupportedParameterError("prompt", "Shots of the model's own choice need a prompt.")
    if not overridden.duration and request.duration_seconds is not None:
        _check_shots(request, traits, over, request.duration_seconds)


def _check_pictures(request: VideoRequest, traits: Traits, inputs: Inputs) -> None:
    capabilities = traits.actions.get(inputs.action)
    is_silent = capabilities is not None and not capabilities.sound
    if inputs.action is Action.FIRST_LAST_FRAME and is_silent and inputs.has_sound:
        first = traits.actions.get(Action.FIRST_FRAME)
        if first is not None and first.sound:
            raise UnsupportedParameterError(
                "images",
                f"{traits.name} makes no sound between a first and a last frame; give one "
                "picture, or turn the sound off.",
            )
    if traits.is_omni:
        most = OMNI_IMAGES_BESIDE_VIDEO if inputs.has_video else OMNI_IMAGES
        if len(request.images) + inputs.elements > most:
            raise UnsupportedParameterError(
                "images",
                f"{traits.name} takes at most {most} pictures and elements together here.",
            )


def _check_shots(
    request: VideoRequest, traits: Traits, over: Mapping[str, Any], seconds: float
) -> None:
    if not has_own_shots(traits, over):
        return
    nothing = Inputs(action=Action.TEXT)
    lengths = [
        to_duration(shot.get("duration"), nothing) for shot in objects(over.get("multi_prompt"))
    ]
    told = [length for length in lengths if length is not None]
    if told and len(told) == len(lengths) and sum(told) != seconds:
        raise UnsupportedParameterError(
            "duration",
            f"The shots last {sum(told):g} seconds together, and the video "
            f"{request.duration_seconds:g}.",
        )


def check_grammar(words: str, traits: Traits, seconds: Any, *, param: str, length: str) -> None:
    """Refuse shots that are written in the prompt and cannot be made.

    Args:
        words: A prompt; one that is not in the grammar of shots passes.
        traits: Of the model that runs.
        seconds: Of the whole video, as it is sent; absent is the vendor's default.
        param: What the client wrote the shots as.
        length: What the client writes the length of the video as.

    Raises:
        UnsupportedParameterError: It names one of the two.
    """
    if traits.name not in _SHOT_MODELS or not _SHOTS.fullmatch(words):
        return
    shots = _ONE_SHOT.findall(words)
    if len(shots) > _MOST_SHOTS:
        raise UnsupportedParameterError(param, f"A video has at most {_MOST_SHOTS} shots.")
    if any(len(text) > _SHOT_CHARACTERS for _, text in shots):
        raise UnsupportedParameterError(
            param, f"The text of a shot may have at most {_SHOT_CHARACTERS} characters."
        )
    if any(int(lasting) < 1 for lasting, _ in shots):
        raise UnsupportedParameterError(param, "A shot lasts at least one second.")
    total = sum(int(lasting) for lasting, _ in shots)
    asked = to_duration(seconds, Inputs(action=Action.TEXT))
    if asked is not None and total != asked:
        raise UnsupportedParameterError(
            length, f"The shots last {total} seconds together, and the video {asked:g}."
        )
