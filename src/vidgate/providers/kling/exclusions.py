"""What does not go together in the final body of a model we know, in either generation.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.kling.models import (
    OMNI_IMAGES,
    OMNI_IMAGES_BESIDE_VIDEO,
    Product,
    Traits,
)
from vidgate.providers.kling.wire import DEFAULT_DURATION_SECONDS, is_given, objects

__all__ = ["judge_contents", "judge_flat_exclusions", "judge_sound_source", "judge_watermark"]

_ENTRIES = 20
"""Of kinds whose number is bounded together with others."""

_FIRST = MappingProxyType({"prompt": 1, "first_frame": 1})
_FRAMES = MappingProxyType({**_FIRST, "last_frame": 1})
_VIDEOS = ("feature_video", "base_video")
_REFERENCES = MappingProxyType(
    {**_FRAMES, "refer_image": _ENTRIES, "feature_video": 1, "base_video": 1, "element": _ENTRIES}
)
_MOTION = MappingProxyType({"prompt": 1, "image": 1, "video": 1})

_MOST = MappingProxyType(
    {
        "/image-to-video/kling-3.0-turbo": _FIRST,
        "/image-to-video/kling-3.0": MappingProxyType({**_FRAMES, "element": 3}),
        "/image-to-video/kling-2.6": MappingProxyType({**_FRAMES, "voice": 2}),
        "/image-to-video/kling-2.5-turbo": _FRAMES,
        "/omni-video/kling-3.0-omni": _REFERENCES,
        "/omni-video/kling-o1": _REFERENCES,
        "/motion-control/kling-3.0": MappingProxyType({**_MOTION, "element": 1}),
        "/motion-control/kling-2.6": _MOTION,
    }
)
"""How many entries of each type an endpoint takes; of others it takes none."""

_WORDS = MappingProxyType(
    {
        "first_frame": ("image", "image_list"),
        "last_frame": ("image_tail", "image_list"),
        "refer_image": ("image_list",),
        "feature_video": ("video_list",),
        "base_video": ("video_list",),
        "element": ("element_list",),
        "voice": ("voice_list",),
        "image": ("image_url", "image"),
        "video": ("video_url",),
    }
)
"""Legacy words that a client may have given an entry by."""

_MOST_ELEMENTS_BESIDE_FRAMES = 3
_GONE = ("camera_control", "static_mask", "dynamic_masks")
_SHORTEST_SPEECH_MS = 2000


def judge_contents(
    body: Mapping[str, Any], over: Mapping[str, Any], traits: Traits, endpoint: str
) -> None:
    """Refuse entries that an endpoint of the new generation does not take, or not together.

    Args:
        body: What is about to be sent.
        over: The vendor fields as the client gave them.
        traits: Of the model that runs.
        endpoint: Where the body goes.

    Raises:
        UnsupportedParameterError: It names the field as the client wrote it.
    """
    most = _MOST.get(endpoint)
    if most is None:
        return
    contents = body.get("contents")
    if not isinstance(contents, list) or len(objects(contents)) != len(contents):
        raise UnsupportedParameterError("contents", "`contents` must be a list of objects.")
    kinds: Counter[str] = Counter()
    for entry in contents:
        kind = entry.get("type")
        if not isinstance(kind, str) or kind not in most:
            raise UnsupportedParameterError(
                _param(over, str(kind)),
                f"{traits.name} takes no {str(kind)[:40]} here.",
                allowed=tuple(most),
            )
        kinds[kind] += 1
        if kinds[kind] > most[kind]:
            raise UnsupportedParameterError(
                _param(over, kind), f"{traits.name} takes at most {most[kind]} of {kind} here."
            )
    settings = body.get("settings")
    settings = settings if isinstance(settings, Mapping) else {}
    if traits.is_omni:
        _judge_omni(kinds, settings, over, traits)
    elif "first_frame" in most:
        _judge_frame_entries(kinds, settings, over, traits)


def _judge_frame_entries(
    kinds: Counter[str], settings: Mapping[str, Any], over: Mapping[str, Any], traits: Traits
) -> None:
    _require_first(kinds, over)
    if not kinds["first_frame"]:
        beside = next((kind for kind in kinds if kind != "prompt"), "contents")
        raise UnsupportedParameterError(
            _param(over, beside), f"{traits.name} needs a first frame here."
        )
    if kinds["voice"] and settings.get("audio", "off") == "off":
        raise UnsupportedParameterError(
            _param(over, "voice"), "A voice needs sound: say `native` in `settings.audio`."
        )


def _require_first(kinds: Counter[str], over: Mapping[str, Any]) -> None:
    if kinds["last_frame"] and not kinds["first_frame"]:
        raise UnsupportedParameterError(
            _param(over, "last_frame"), "A last frame needs a first frame beside it."
        )


def _judge_omni(
    kinds: Counter[str], settings: Mapping[str, Any], over: Mapping[str, Any], traits: Traits
) -> None:
    _require_first(kinds, over)
    videos = [kind for kind in _VIDEOS if kinds[kind]]
    frames = kinds["first_frame"] + kinds["last_frame"]
    if len(videos) > 1:
        raise UnsupportedParameterError(
            _param(over, "base_video"), f"{traits.name} takes one video to refer to."
        )
    if kinds["base_video"] and frames:
        raise UnsupportedParameterError(
            _param(over, "base_video"), "A video to edit takes no first or last frame."
        )
    if kinds["base_video"] and settings.get("multi_shot") is True:
        raise UnsupportedParameterError(
            "settings.multi_shot", "A video to edit has no shots.", allowed=("false",)
        )
    if traits.has_shot_field and kinds["feature_video"]:
        if settings.get("multi_shot") is False:
            raise UnsupportedParameterError(
                "settings.multi_shot", "Beside a `feature_video` it is on.", allowed=("true",)
            )
        if is_given(settings.get("audio")) and settings["audio"] != "off":
            raise UnsupportedParameterError(
                "settings.audio", "Beside a `feature_video` there is no sound.", allowed=("off",)
            )
    most = OMNI_IMAGES_BESIDE_VIDEO if videos else OMNI_IMAGES
    if frames + kinds["refer_image"] + kinds["element"] > most:
        raise UnsupportedParameterError(
            _param(over, "refer_image" if kinds["refer_image"] else "element"),
            f"{traits.name} takes at most {most} pictures and elements together here.",
        )
    if traits.has_shot_field and frames and kinds["element"] > _MOST_ELEMENTS_BESIDE_FRAMES:
        raise UnsupportedParameterError(
            _param(over, "element"),
            f"Beside a frame {traits.name} takes at most {_MOST_ELEMENTS_BESIDE_FRAMES} elements.",
        )
    others = [kind for kind in ("element", "refer_image", *_VIDEOS) if kinds[kind]]
    if not traits.has_shot_field and kinds["last_frame"] and others:
        raise UnsupportedParameterError(
            _param(over, others[0]), f"{traits.name} takes nothing beside a first and a last frame."
        )


def judge_flat_exclusions(body: Mapping[str, Any], traits: Traits, product: Product) -> None:
    """Refuse fields of a legacy body that do not go together, or that only dead models had.

    Raises:
        UnsupportedParameterError: It names the field.
    """
    match product:
        case Product.FRAMES:
            _judge_frames(body, traits)
        case Product.OMNI:
            _judge_legacy_omni(body, traits)
        case Product.MOTION if is_given(body.get("element_list")) and not traits.has_shot_field:
            raise UnsupportedParameterError(
                "element_list", f"{traits.name} takes no elements here; kling-v3 does."
            )
        case Product.AVATAR:
            judge_sound_source(body)
        case _:
            pass
    if product in (Product.FRAMES, Product.OMNI, Product.MOTION):
        _refuse_gone(body, traits)
    if product in (Product.FRAMES, Product.OMNI):
        if body.get("multi_shot") is True:
            _judge_shots(body)
        # Who says that there are to be no shots is not told that there are none.
        elif body.get("multi_shot") is not False and is_given(body.get("multi_prompt")):
            raise _idle_shots()


def judge_sound_source(where: Mapping[str, Any]) -> None:
    """Refuse a sound that is given twice, or of which too little is spoken.

    Raises:
        UnsupportedParameterError: It is.
    """
    if is_given(where.get("audio_id")) and is_given(where.get("sound_file")):
        raise UnsupportedParameterError(
            "sound_file", "Give one sound: `audio_id` or `sound_file`, not both."
        )
    start, end = where.get("sound_start_time", 0), where.get("sound_end_time")
    is_told = isinstance(start, (int, float)) and isinstance(end, (int, float))
    if is_told and end - start < _SHORTEST_SPEECH_MS:
        raise UnsupportedParameterError(
            "sound_end_time", "At least 2 seconds of the sound must be spoken."
        )


def judge_watermark(body: Mapping[str, Any], param: str) -> None:
    """Refuse a wish for a watermark that is neither true nor false.

    Raises:
        UnsupportedParameterError: It is neither.
    """
    info = body.get("watermark_info")
    enabled = info.get("enabled") if isinstance(info, Mapping) else info
    if enabled is not None and not (isinstance(info, Mapping) and isinstance(enabled, bool)):
        raise UnsupportedParameterError(
            param, f"`{param}` is an object with `enabled`.", allowed=("true", "false")
        )


def _refuse_gone(body: Mapping[str, Any], traits: Traits) -> None:
    for name in _GONE:
        if is_given(body.get(name)):
            raise UnsupportedParameterError(
                name, f"{traits.name} has no `{name}`; only models had it that Kling has retired."
            )


def _judge_frames(body: Mapping[str, Any], traits: Traits) -> None:
    for name in ("image_list", "video_list"):
        if is_given(body.get(name)):
            raise UnsupportedParameterError(
                name, f"{traits.name} has no `{name}`; kling-v3-omni has."
            )
    if is_given(body.get("image_tail")) and not is_given(body.get("image")):
        raise UnsupportedParameterError("image_tail", "A last frame needs a first one as `image`.")
    if is_given(body.get("element_list")):
        if not traits.has_shot_field or not is_given(body.get("image")):
            raise UnsupportedParameterError(
                "element_list", "Elements need kling-v3 and a first frame as `image`."
            )
        if is_given(body.get("voice_list")):
            raise UnsupportedParameterError(
                "voice_list", "Elements and voices do not go together; give one of them."
            )
    if is_given(body.get("voice_list")) and body.get("sound") != "on":
        raise UnsupportedParameterError("voice_list", "A voice needs `sound: on`.")


def _judge_legacy_omni(body: Mapping[str, Any], traits: Traits) -> None:
    for name in ("image", "image_tail"):
        if is_given(body.get(name)):
            raise UnsupportedParameterError(
                name, f"{traits.name} has no `{name}`; put the picture in `image_list`."
            )
    types = [image.get("type") for image in objects(body.get("image_list"))]
    videos = [video.get("refer_type", "base") for video in objects(body.get("video_list"))]
    if "end_frame" in types and "first_frame" not in types:
        raise UnsupportedParameterError("image_list", "An `end_frame` needs a `first_frame`.")
    if "base" in videos and ("first_frame" in types or "end_frame" in types):
        raise UnsupportedParameterError(
            "video_list", "A video to edit takes no first or last frame; make it a `feature`."
        )
    chooses = body.get("multi_shot") is True and body.get("shot_type") == "intelligence"
    if traits.has_shot_field and "feature" in videos and not chooses:
        raise UnsupportedParameterError(
            "multi_shot",
            "Beside a `feature` video, say `multi_shot: true` and `shot_type: intelligence`.",
        )


def _judge_shots(body: Mapping[str, Any]) -> None:
    kind = body.get("shot_type")
    if not is_given(kind):
        raise UnsupportedParameterError(
            "shot_type", "`multi_shot` needs it.", allowed=("customize", "intelligence")
        )
    if kind != "customize":
        if is_given(body.get("multi_prompt")):
            raise _idle_shots()
        return
    shots = objects(body.get("multi_prompt"))
    if not shots:
        raise UnsupportedParameterError("multi_prompt", "Customized shots need `multi_prompt`.")
    lengths = [str(shot.get("duration", "")) for shot in shots]
    if not all(length.isdecimal() and int(length[:9]) >= 1 for length in lengths):
        raise UnsupportedParameterError("multi_prompt", "Each shot needs whole seconds, 1 or more.")
    total, asked = sum(int(length[:9]) for length in lengths), body.get("duration")
    asked = str(DEFAULT_DURATION_SECONDS if not is_given(asked) else asked)
    if asked.removesuffix(".0") != str(total):
        raise UnsupportedParameterError(
            "multi_prompt", f"The shots last {total} seconds together, and the video {asked[:9]}."
        )


def _idle_shots() -> UnsupportedParameterError:
    return UnsupportedParameterError(
        "multi_prompt", "`multi_prompt` needs `multi_shot: true` and `shot_type: customize`."
    )


def _param(over: Mapping[str, Any], kind: str) -> str:
    """What the client wrote an entry as."""
    if is_given(over.get("contents")):
        return "contents"
    written = [word for word in _WORDS.get(kind, ()) if is_given(over.get(word))]
    return written[0] if written else "images"
