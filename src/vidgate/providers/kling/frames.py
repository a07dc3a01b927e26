"""Bodies of the general models: legacy frames, legacy omni, and the new generation.

Legacy frames (`text2video`, `image2video`) and legacy omni (`omni-video`) are flat; the new
generation has `prompt` or `contents`, `settings` and `options`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from typing_extensions import override

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Action, RunFacts
from vidgate.providers.draft import merge
from vidgate.providers.kling.entries import (
    NOTHING,
    Brought,
    read_brought,
    take_words,
    to_references,
)
from vidgate.providers.kling.models import MODE_OF_TIER, TIER_OF_MODE, Product, Traits
from vidgate.providers.kling.wire import (
    LARGER_PICTURES,
    SOUNDS,
    Inputs,
    Overridden,
    Wire,
    Wish,
    is_given,
    objects,
    to_duration,
    to_word,
)
from vidgate.providers.kling.words import to_settings

__all__ = ["LegacyFrames", "LegacyOmni", "New", "legacy_facts", "settings_of"]


class LegacyFrames(Wire):
    """`text2video` and `image2video`."""

    @override
    def inputs(
        self,
        pictures: Sequence[str],
        over: Mapping[str, Any],
        traits: Traits,
        *,
        as_frames: bool = False,
    ) -> Inputs:
        view = merge(self._pictures(pictures, as_frames=as_frames), over)
        has_sound = bool(SOUNDS.get(to_word(view.get("sound"))))
        if view.get("image_tail"):
            action = Action.FIRST_LAST_FRAME
        elif view.get("image"):
            action = Action.FIRST_FRAME
        else:
            return Inputs(action=Action.TEXT, has_sound=has_sound)
        return Inputs(action=action, gives_shape=True, has_sound=has_sound)

    @override
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        return Overridden(
            prompt="prompt" in over,
            duration="duration" in over,
            tier="mode" in over,
            ratio="aspect_ratio" in over,
            pictures="image_tail" in over or "image" in over,
        )

    @override
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"model_name": traits.name}
        if wish.prompt:
            body["prompt"] = wish.prompt
        body |= self._pictures(wish.pictures, as_frames=wish.as_frames)
        if wish.tier is not None:
            body["mode"] = MODE_OF_TIER[wish.tier]
        if wish.duration is not None:
            body["duration"] = str(wish.duration)
        if wish.ratio is not None:
            body["aspect_ratio"] = wish.ratio
        return body

    @override
    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:
        has_words = _says_something(body.get("prompt")) or bool(body.get("multi_prompt"))
        # Beside a picture only omni insists on words; elsewhere the vendor may judge.
        if inputs.action is Action.TEXT and not has_words:
            raise _no_prompt()
        if traits.is_omni and not has_words:
            raise UnsupportedParameterError(
                "prompt", f"{traits.name} needs a prompt, also beside pictures and videos."
            )

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        return legacy_facts(body, inputs, traits)

    def _pictures(
        self,
        pictures: Sequence[str],
        *,
        as_frames: bool,  # noqa: ARG002 - those of an omni model need it
    ) -> dict[str, Any]:
        return dict(zip(("image", "image_tail"), pictures, strict=False))


class LegacyOmni(LegacyFrames):
    """`omni-video`.

    Every picture is a plain reference, unless `metadata.action` says that they are frames, or
    `metadata` has an `image_list` of its own.
    """

    @override
    def inputs(
        self,
        pictures: Sequence[str],
        over: Mapping[str, Any],
        traits: Traits,
        *,
        as_frames: bool = False,
    ) -> Inputs:
        view = merge(self._pictures(pictures, as_frames=as_frames), over)
        images = [image.get("type") for image in objects(view.get("image_list"))]
        videos = [video.get("refer_type", "base") for video in objects(view.get("video_list"))]
        elements = objects(view.get("element_list"))
        edits = "base" in videos
        others = bool(videos or view.get("element_list"))
        action = _omni_action(
            first="first_frame" in images,
            last="end_frame" in images,
            others=others or len(images) > 1,
            references=others or bool(images),
        )
        return Inputs(
            action=Action.EDIT if edits else action,
            gives_shape="first_frame" in images or edits,
            needs_ratio="first_frame" not in images and not edits,
            gives_length=edits,
            has_sound=bool(SOUNDS.get(to_word(view.get("sound")))),
            has_video=bool(videos),
            elements=len(elements),
        )

    @override
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        return Overridden(
            prompt="prompt" in over,
            duration="duration" in over,
            tier="mode" in over,
            ratio="aspect_ratio" in over,
            pictures="image_list" in over,
        )

    @override
    def _pictures(self, pictures: Sequence[str], *, as_frames: bool) -> dict[str, Any]:
        if not pictures:
            return {}
        if as_frames:
            roles = ("first_frame", "end_frame")
            return {
                "image_list": [
                    {"image_url": picture, "type": role}
                    for picture, role in zip(pictures, roles, strict=False)
                ]
            }
        return {"image_list": [{"image_url": picture} for picture in pictures]}


@dataclass(frozen=True, slots=True)
class New(Wire):
    """`prompt` from text alone, `contents` on every other endpoint.

    Pictures for an omni model are plain references called `image_1`, `image_2` …, so that the
    prompt can say `@image_1`; unless `metadata.action` says that they are frames, or `metadata`
    has `contents` of its own. What it says in legacy words is in `brought` and `words`.

    Attributes:
        brought: What legacy words bring to `contents`.
        words: The prompt of `metadata`, `None` where it has none.
    """

    brought: Brought = NOTHING
    words: Any = None

    max_image_bytes: ClassVar[int] = LARGER_PICTURES

    @override
    def hear(
        self, over: Mapping[str, Any], traits: Traits, product: Product
    ) -> tuple[Self, dict[str, Any]]:
        fields = to_settings(over, traits, product)
        removes_prompt = "prompt" in fields and fields["prompt"] is None
        words = take_words(fields, traits)
        if is_given(words) and "contents" in fields:
            raise UnsupportedParameterError("prompt", "Put the prompt in `contents`.")
        words = "" if words is None and removes_prompt else words
        return replace(self, brought=read_brought(fields, traits), words=words), fields

    @override
    def inputs(
        self,
        pictures: Sequence[str],
        over: Mapping[str, Any],
        traits: Traits,
        *,
        as_frames: bool = False,
    ) -> Inputs:
        contents = over.get("contents", self._pictures(pictures, traits, as_frames=as_frames))
        kinds = [entry.get("type") for entry in objects(contents)]
        first, last = "first_frame" in kinds, "last_frame" in kinds
        has_sound = bool(SOUNDS.get(to_word(settings_of(over).get("audio"))))
        if not traits.is_omni:
            if not (last or contents):
                return Inputs(action=Action.TEXT, has_sound=has_sound)
            action = Action.FIRST_LAST_FRAME if last else Action.FIRST_FRAME
            return Inputs(action=action, gives_shape=True, has_sound=has_sound)
        edits = "base_video" in kinds
        has_video = edits or "feature_video" in kinds
        references = [kind for kind in kinds if kind != "prompt"]
        action = _omni_action(
            first=first, last=last, others=len(references) > 1, references=bool(references)
        )
        return Inputs(
            action=Action.EDIT if edits else action,
            gives_shape=first or edits,
            needs_ratio=not first and not has_video,
            gives_length=edits,
            has_sound=has_sound,
            has_video=has_video,
            elements=kinds.count("element"),
        )

    @override
    def overridden(self, over: Mapping[str, Any], inputs: Inputs, traits: Traits) -> Overridden:
        settings = over.get("settings", {})
        replaces_all = not isinstance(settings, Mapping)
        settings = settings_of(over)
        return Overridden(
            prompt=self.words is not None or "contents" in over,
            duration=replaces_all or "duration" in settings,
            tier=replaces_all or "resolution" in settings,
            ratio=replaces_all or "aspect_ratio" in settings,
            pictures="contents" in over or self.brought.has_pictures,
        )

    @override
    def write(
        self, wish: Wish, inputs: Inputs, traits: Traits, taken: Mapping[str, Any]
    ) -> dict[str, Any]:
        words = to_references(wish.prompt if self.words is None else self.words)
        body: dict[str, Any]
        if _is_words_alone(inputs, traits):
            body = {"prompt": words} if is_given(words) else {}
        else:
            # The vendor takes a text of no characters, and nobody has seen it take no text.
            prompt = {"type": "prompt", "text": words}
            pictures = self._pictures(wish.pictures, traits, as_frames=wish.as_frames)
            body = {"contents": [prompt, *pictures]}
        settings: dict[str, Any] = {}
        if wish.tier is not None:
            settings["resolution"] = wish.tier
        if wish.ratio is not None:
            settings["aspect_ratio"] = wish.ratio
        if wish.duration is not None:
            settings["duration"] = wish.duration
        if settings:
            body["settings"] = settings
        return body

    @override
    def check(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> None:
        if inputs.action is not Action.TEXT:
            return
        if traits.is_omni:
            entries = objects(body.get("contents"))
            prompts = [entry.get("text") for entry in entries if entry.get("type") == "prompt"]
        else:
            prompts = [body.get("prompt")]
        if not any(map(_says_something, prompts)):
            raise _no_prompt()

    @override
    def facts(self, body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
        settings = settings_of(body)
        return RunFacts(
            model=traits.name,
            duration_seconds=to_duration(settings.get("duration"), inputs),
            resolution=to_word(settings.get("resolution")) or traits.default_tier,
            sound=traits.has_sound_always or SOUNDS.get(to_word(settings.get("audio"))),
        )

    def _pictures(
        self, pictures: Sequence[str], traits: Traits, *, as_frames: bool
    ) -> list[dict[str, Any]]:
        brought = self.brought
        frames: dict[str, Any] = {}
        entries: list[Mapping[str, Any]] = []
        if brought.pictures is not None:
            entries = list(brought.pictures)
        elif traits.is_omni and not as_frames:
            entries = [
                {"type": "refer_image", "url": picture, "id": f"image_{number}"}
                for number, picture in enumerate(pictures, start=1)
            ]
        else:
            frames = dict(zip(("first_frame", "last_frame"), pictures, strict=False))
        frames |= {} if brought.first is None else {"first_frame": brought.first}
        frames |= {} if brought.last is None else {"last_frame": brought.last}
        written = [{"type": role, "url": picture} for role, picture in frames.items()]
        return [*written, *map(dict, entries), *map(dict, brought.others)]


def legacy_facts(body: Mapping[str, Any], inputs: Inputs, traits: Traits) -> RunFacts:
    """What a flat body runs."""
    mode = to_word(body.get("mode")) or MODE_OF_TIER.get(traits.default_tier or "")
    return RunFacts(
        model=traits.name,
        duration_seconds=to_duration(body.get("duration"), inputs),
        resolution=TIER_OF_MODE.get(mode or ""),
        mode=mode,
        sound=traits.has_sound_always or SOUNDS.get(to_word(body.get("sound"))),
    )


def settings_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `settings`, empty where they are no object."""
    settings = body.get("settings")
    return settings if isinstance(settings, Mapping) else {}


def _is_words_alone(inputs: Inputs, traits: Traits) -> bool:
    """Whether the new endpoint takes a `prompt` and no `contents`."""
    return inputs.action is Action.TEXT and not traits.is_omni


def _omni_action(*, first: bool, last: bool, others: bool, references: bool) -> Action:
    if first and last:
        return Action.FIRST_LAST_FRAME
    if first and not others:
        return Action.FIRST_FRAME
    return Action.REFERENCES if references else Action.TEXT


def _says_something(value: Any) -> bool:
    return is_given(value) if isinstance(value, str) else value is not None


def _no_prompt() -> UnsupportedParameterError:
    return UnsupportedParameterError("prompt", "A video from text alone needs a prompt.")
