"""What the fields of the final body may say, for the models we know.

Only what the vendor lists or bounds is judged, and only where a field says something: a field we
have never heard of, a model we do not know, and what is absent are the vendor's business.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Action, ActionCapabilities
from vidgate.providers.fields import to_number
from vidgate.providers.kling.exclusions import (
    judge_contents,
    judge_flat_exclusions,
    judge_sound_source,
    judge_watermark,
)
from vidgate.providers.kling.frames import settings_of
from vidgate.providers.kling.models import (
    MODE_OF_TIER,
    OMNI_IMAGES,
    OMNI_IMAGES_BESIDE_VIDEO,
    Product,
    Traits,
)
from vidgate.providers.kling.rules import check_grammar
from vidgate.providers.kling.wire import Inputs, is_given, objects
from vidgate.providers.kling.words import LEGACY_WORDS, legacy_value

__all__ = ["judge"]

_SOUND_WORDS = ("on", "off")
_KEPT_SOUNDS = ("yes", "no")
_SHOT_TYPES = ("customize", "intelligence")
_ORIENTATIONS = ("image", "video")
_EDIT_MODES = ("addition", "swap", "removal")
_FRAME_TYPES = ("first_frame", "end_frame")
_REFER_TYPES = ("feature", "base")
_MOTION_AUDIOS = ("original", "off")
_FLAGS = (True, False)

_NEGATIVE_CHARACTERS = 2500
_MOST_SHOTS = 6
_SHOT_CHARACTERS = 512
_MOST_VOICES = 2
_MOST_FRAME_ELEMENTS = 3
_LOUDEST = 2

_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class _Case:
    """What the values are judged by."""

    over: Mapping[str, Any]
    inputs: Inputs
    traits: Traits
    product: Product
    offered: ActionCapabilities

    def one_of(self, param: str, value: Any, allowed: Sequence[str]) -> None:
        """Refuse a word that is not listed; nothing listed means that everything is."""
        if allowed and is_given(value) and value not in allowed:
            raise self._refusal(param, value, allowed)

    def seconds(self, param: str, value: Any) -> None:
        allowed = self.offered.durations
        if allowed and is_given(value) and to_number(value) not in allowed:
            raise self._refusal(param, value, allowed)

    def flag(self, param: str, value: Any, allowed: Sequence[bool] = _FLAGS) -> None:
        if value is not None and not any(value is word for word in allowed):
            words = [str(word).lower() for word in allowed]
            raise self._refusal(param, value, words)

    def within(self, param: str, value: Any, least: int, most: int) -> None:
        number = None if value is None else to_number(value)
        if value is not None and (number is None or not least <= number <= most):
            raise self._refusal(param, value, (f"{least} to {most}",))

    def at_most(self, param: str, value: Any, most: int) -> None:
        """Refuse a list with more members."""
        if isinstance(value, list) and len(value) > most:
            raise UnsupportedParameterError(
                param, f"{self.traits.name} takes at most {most} in `{param}`, not {len(value)}."
            )

    def length(self, param: str, value: Any, most: int | None) -> None:
        if most is not None and isinstance(value, str) and len(value) > most:
            raise UnsupportedParameterError(
                param,
                f"{self.traits.name} takes at most {most} characters in `{param}`, and these are "
                f"{len(value)}.",
            )

    def _refusal(
        self, param: str, value: Any, allowed: Sequence[object]
    ) -> UnsupportedParameterError:
        said = str(value).lower() if isinstance(value, bool) else str(value)
        return UnsupportedParameterError(
            param,
            f"{self.traits.name} does not take {said[:_SHOWN_CHARACTERS]!r} as `{param}` here.",
            allowed=allowed,
        )


def judge(
    body: Mapping[str, Any],
    over: Mapping[str, Any],
    *,
    inputs: Inputs,
    traits: Traits,
    product: Product,
    offered: ActionCapabilities,
) -> None:
    """Refuse what a known model cannot honour, by the name that the client wrote.

    Args:
        body: What is about to be sent.
        over: The vendor fields as the client gave them.
        inputs: What the request brings.
        traits: Of the model that runs.
        product: It decides the shape of the body.
        offered: What the model takes for this action, beside what else is asked for.

    Raises:
        UnsupportedParameterError: It names the field and what it may say.
    """
    if not traits.is_known:
        return
    case = _Case(over, inputs, traits, product, offered)
    judge_watermark(body, "watermark_info")
    options = body.get("options")
    if isinstance(options, Mapping):
        judge_watermark(options, _watermark_param(over))
    match product:
        case Product.EFFECTS:
            pass
        case Product.LIP_SYNC:
            _judge_faces(case, body)
        case Product.AVATAR | Product.MULTI_ELEMENTS:
            _judge_flat(case, body)
        case Product.FRAMES | Product.OMNI | Product.MOTION:
            (_judge_new if traits.is_path_model else _judge_flat)(case, body)


def _judge_flat(case: _Case, body: Mapping[str, Any]) -> None:
    case.one_of("mode", body.get("mode"), [MODE_OF_TIER[tier] for tier in case.offered.tiers])
    case.length("prompt", body.get("prompt"), case.offered.prompt_characters)
    case.length("negative_prompt", body.get("negative_prompt"), _NEGATIVE_CHARACTERS)
    match case.product:
        case Product.MOTION:
            case.one_of("character_orientation", body.get("character_orientation"), _ORIENTATIONS)
            case.one_of("keep_original_sound", body.get("keep_original_sound"), _KEPT_SOUNDS)
            case.at_most("element_list", body.get("element_list"), 1)
        case Product.MULTI_ELEMENTS:
            case.one_of("edit_mode", body.get("edit_mode"), _EDIT_MODES)
            case.seconds("duration", body.get("duration"))
        case Product.FRAMES | Product.OMNI:
            _judge_legacy(case, body)
        case _:
            pass
    judge_flat_exclusions(body, case.traits, case.product)


def _judge_legacy(case: _Case, body: Mapping[str, Any]) -> None:
    case.one_of("aspect_ratio", body.get("aspect_ratio"), _ratios(case))
    case.seconds("duration", body.get("duration"))
    # Of the legacy O1 nobody has said that it is mute; a word of its own is not refused.
    may_sound = case.offered.sound or case.product is Product.OMNI
    makes_sound = may_sound and not case.inputs.has_video
    case.one_of("sound", body.get("sound"), _SOUND_WORDS if makes_sound else ("off",))
    case.within("cfg_scale", body.get("cfg_scale"), 0, 1)
    has_shots = case.traits.has_shot_field
    case.flag("multi_shot", body.get("multi_shot"), _FLAGS if has_shots else (False,))
    if body.get("multi_shot") is True:
        case.one_of("shot_type", body.get("shot_type"), _SHOT_TYPES)
        case.at_most("multi_prompt", body.get("multi_prompt"), _MOST_SHOTS)
        for shot in objects(body.get("multi_prompt")):
            case.length("multi_prompt", shot.get("prompt"), _SHOT_CHARACTERS)
    case.at_most("voice_list", body.get("voice_list"), _MOST_VOICES)
    if case.product is Product.OMNI:
        _judge_references(case, body)
    elif case.inputs.action is not Action.TEXT:
        case.at_most("element_list", body.get("element_list"), _MOST_FRAME_ELEMENTS)


def _judge_references(case: _Case, body: Mapping[str, Any]) -> None:
    for image in objects(body.get("image_list")):
        case.one_of("image_list", image.get("type"), _FRAME_TYPES)
    for video in objects(body.get("video_list")):
        case.one_of("video_list", video.get("refer_type"), _REFER_TYPES)
        case.one_of("video_list", video.get("keep_original_sound"), _KEPT_SOUNDS)
    case.at_most("video_list", body.get("video_list"), 1)
    pictures = objects(body.get("image_list"))
    elements = objects(body.get("element_list"))
    most = OMNI_IMAGES_BESIDE_VIDEO if case.inputs.has_video else OMNI_IMAGES
    if len(pictures) + len(elements) > most:
        raise UnsupportedParameterError(
            "image_list" if pictures else "element_list",
            f"{case.traits.name} takes at most {most} pictures and elements together here.",
        )


def _judge_new(case: _Case, body: Mapping[str, Any]) -> None:
    judge_contents(body, case.over, case.traits, case.offered.endpoint)
    settings = settings_of(body)
    is_motion = case.product is Product.MOTION
    audios = _MOTION_AUDIOS if is_motion else _audios(case)
    for name, allowed in (
        ("aspect_ratio", _ratios(case)),
        ("resolution", case.offered.tiers),
        ("audio", audios),
        ("character_orientation", _ORIENTATIONS if is_motion else ()),
    ):
        _judge_setting(case, name, settings.get(name), allowed)
    if not is_motion:
        case.seconds(_written(case, "duration"), settings.get("duration"))
        shots = settings.get("multi_shot")
        if case.traits.has_shot_field:
            case.flag(_written(case, "multi_shot"), shots)
        elif shots is True:
            case.flag(_written(case, "multi_shot"), shots, (False,))
    case.length("prompt", body.get("prompt"), case.offered.prompt_characters)
    _judge_shots_in(case, "prompt", body.get("prompt"), settings)
    for entry in objects(body.get("contents")):
        if entry.get("type") == "prompt":
            case.length("contents", entry.get("text"), case.offered.prompt_characters)
            is_theirs = is_given(case.over.get("contents"))
            _judge_shots_in(
                case, "contents" if is_theirs else "prompt", entry.get("text"), settings
            )


def _judge_shots_in(case: _Case, param: str, words: Any, settings: Mapping[str, Any]) -> None:
    """Judge the shots that a prompt may say; with `multi_shot` off it says none."""
    if case.product is Product.MOTION or settings.get("multi_shot") is False:
        return
    if is_given(case.over.get("multi_prompt")):
        param = "multi_prompt"
    length = "settings.duration" if "duration" in settings_of(case.over) else "duration"
    if isinstance(words, str):
        check_grammar(words, case.traits, settings.get("duration"), param=param, length=length)


def _watermark_param(over: Mapping[str, Any]) -> str:
    return "watermark_info" if "watermark_info" in over else "options.watermark_info"


def _judge_faces(case: _Case, body: Mapping[str, Any]) -> None:
    if is_given(body.get("video_id")) and is_given(body.get("video_url")):
        raise UnsupportedParameterError(
            "video_url", "Give one video: `video_url` or `video_id`, not both."
        )
    case.at_most("face_choose", body.get("face_choose"), 1)
    for face in objects(body.get("face_choose")):
        judge_sound_source(face)
        for name in ("sound_volume", "original_audio_volume"):
            case.within(name, face.get(name), 0, _LOUDEST)


def _ratios(case: _Case) -> Sequence[str]:
    """Those of the endpoint, also where a picture gives the shape: it looks at the field first."""
    offered = case.traits.actions.values()
    return case.offered.ratios or next(
        (one.ratios for one in offered if one.endpoint == case.offered.endpoint and one.ratios), ()
    )


def _audios(case: _Case) -> Sequence[str]:
    if not case.traits.audios:
        # There is no such field; a wish for silence is granted anyway.
        return ("off",)
    if case.offered.sound:
        return case.traits.audios
    return [word for word in case.traits.audios if word != "native"]


def _judge_setting(case: _Case, name: str, value: Any, allowed: Sequence[str]) -> None:
    word = _written(case, name)
    if allowed and is_given(value) and value not in allowed:
        said = legacy_value(word, value)
        case.one_of(word, said, [str(legacy_value(word, one)) for one in allowed])


def _written(case: _Case, name: str) -> str:
    """A setting's name, as the client wrote it: in either generation's words."""
    if name not in settings_of(case.over):
        for word in (*LEGACY_WORDS.get(name, ()), name):
            if is_given(case.over.get(word)):
                return word
    return f"settings.{name}"
