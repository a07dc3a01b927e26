"""What each of Vidu's models takes, as data.

Four endpoints have no `model` in the vendor's words; clients call them `vidu-upscale`,
`vidu-lip-sync`, `vidu-template` and `vidu-template-story`.

Source: https://platform.vidu.com/docs (text-to-video, image-to-video, start-end-to-video,
reference-to-video, multi-frame, video-extension, upscale-pro, lip-sync, template, template-story,
and the pages of viduq4-preview), read 2026-11-20. What they leave open is taken this way:

- Pages differ on whether Q2 makes sound; here it does, on the endpoints that price it.
- How many pictures a template takes depends on the template, and which ratios is not said; ten is
  the most that is told of any, and the ratios are those of the newer models. What `metadata` says
  goes further.
- A prompt for key frames may be as long as one for the other endpoints beside the main four.
- Pages differ on whether the nine frames of multiframe count the first; ten pass.
- Whether vidu1.5 still answers is not known: it is gone from the pages of 2026. It is tried as it
  is asked for, with what was printed of it in 2025; where an account has it no more the vendor's
  refusal moves the task to another channel, and the channel's own model mapping
  (`vidu1.5=vidu2.0`) is the setting that makes it run as something else. Nothing is mapped unasked,
  since a clip of vidu2.0 is another clip at another price.
- Pages differ on whether viduq2-pro-fast takes references; it is passed on where a client asks
  for that endpoint by name.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from vidgate.providers.base import Action, ActionCapabilities, ModelCapabilities
from vidgate.providers.vidu.endpoints import (
    EXTEND,
    FIRST_FRAME,
    FIRST_LAST_FRAME,
    LIP_SYNC,
    MAIN,
    MULTIFRAME,
    REFERENCES,
    STORY,
    TEMPLATE,
    TEXT,
    UPSCALE,
    Endpoint,
)

__all__ = [
    "ANY_RATIO_SUBJECTS",
    "KEY_FRAMES",
    "KEY_FRAME_SECONDS",
    "LABELS",
    "MODELS",
    "OLDEST",
    "OLDEST_LONG_TIER",
    "SPOKEN_CHARACTERS",
    "UPSCALE_TIER",
    "VIDEO_REFERENCE_MODEL",
    "Family",
    "automatic_duration",
    "default_tier",
    "family_of",
    "successor_of",
    "tiers_at",
]

LABELS = {
    **{side: f"{side}p" for side in (360, 540, 720, 1080)},
    1440: "2K",
    2160: "4K",
    4320: "8K",
}
"""Every resolution of any model, exactly as it must be written, by the length of the short side."""

KEY_FRAMES = (2, 9)
"""The fewest and the most frames after the first of a multiframe video."""

KEY_FRAME_SECONDS = (2, 7)
"""The shortest and the longest way from one of its frames to the next."""

VIDEO_REFERENCE_MODEL = "viduq2-pro"
"""The only one that takes videos as references."""

SPOKEN_CHARACTERS = (4, 2000)
"""The shortest and the longest text that a lip-sync speaks."""

UPSCALE_TIER = "1080p"
"""What upscaling makes when nothing is asked for."""

_LONGEST_SHORT_PROMPT = 2_000

_THREE_RATIOS = ("16:9", "9:16", "1:1")
_FIVE_RATIOS = (*_THREE_RATIOS, "4:3", "3:4")
"""The last two only since Q2."""

_FEW_REFERENCES = (1, 3)
_MANY_REFERENCES = (1, 15)
_TEMPLATE_PICTURES = (1, 10)

_FULL = ("540p", "720p", "1080p")
_FAST = ("720p", "1080p")
_Q4 = ("540p", "720p", "1080p", "2K", "4K")
_OLD = ("360p", "720p", "1080p")

_Actions = Mapping[Action, ActionCapabilities]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the models of one generation have in common.

    Attributes:
        sound: Where they make sound.
        has_sound: Whether they make it when `audio` is not sent.
        off_peak_sound: What `audio` must be where `off_peak` is true, `None` for no rule.
        tier: What is made when no resolution is asked for.
        seconds: What is made when no duration is. The documentation prints the 5 beside some
            models of each family and no other number beside the rest.
        prompt: The longest, in characters.
    """

    sound: Collection[Action] = ()
    has_sound: bool = False
    off_peak_sound: bool | None = None
    tier: str = "720p"
    seconds: int = 5
    prompt: int = 5_000


_PICTURED = (Action.FIRST_FRAME, Action.REFERENCES)
_EVERY = (*_PICTURED, Action.TEXT, Action.FIRST_LAST_FRAME)
_FAMILIES: Mapping[str, Family] = {
    "viduq4": Family(sound=_PICTURED, has_sound=True, prompt=20_000),
    "viduq3": Family(sound=_EVERY, has_sound=True, off_peak_sound=True),
    "viduq2": Family(sound=_PICTURED, off_peak_sound=False),
    "viduq1": Family(off_peak_sound=False, tier="1080p"),
    "vidu2.": Family(off_peak_sound=False, tier="360p", seconds=4),
    "vidu1.": Family(tier="360p", seconds=4),
}
"""By the first six letters of a model."""


def _seconds(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


def _main(
    endpoints: Iterable[Endpoint],
    durations: tuple[int, ...],
    tiers: tuple[str, ...],
    ratios: tuple[str, ...] = _FIVE_RATIOS,
    references: tuple[int, int] = (1, 7),
) -> dict[Action, ActionCapabilities]:
    """What a model takes at some of the four main endpoints."""
    images = {FIRST_FRAME.name: (1, 1), FIRST_LAST_FRAME.name: (2, 2), REFERENCES.name: references}
    return {
        endpoint.action: ActionCapabilities(
            endpoint=endpoint.path,
            durations=durations,
            tiers=tiers,
            ratios=ratios if endpoint.has_ratio else (),
            images=images.get(endpoint.name, (0, 0)),
            seed=True,
        )
        for endpoint in endpoints
    }


def _other(endpoint: Endpoint, **takes: Any) -> dict[Action, ActionCapabilities]:
    """What is taken at another endpoint."""
    return {endpoint.action: ActionCapabilities(endpoint=endpoint.path, **takes)}


_FRAMES = (FIRST_FRAME, FIRST_LAST_FRAME)
_LONGER = _other(
    MULTIFRAME,
    # Of the whole video; how the frames share it is checked apart.
    durations=_seconds(KEY_FRAMES[0] * KEY_FRAME_SECONDS[0], 60),
    tiers=_FULL,
    images=(1 + KEY_FRAMES[0], 1 + KEY_FRAMES[1]),
    prompt_characters=_LONGEST_SHORT_PROMPT,
) | _other(
    EXTEND,
    durations=_seconds(1, 7),
    tiers=_FULL,
    images=(0, 1),
    prompt_characters=_LONGEST_SHORT_PROMPT,
)

_ACTIONS: Mapping[str, _Actions] = {
    "viduq4-preview": _main(
        (FIRST_FRAME, REFERENCES), _seconds(3, 16), _Q4, references=_MANY_REFERENCES
    ),
    "viduq3-pro": _main((TEXT, *_FRAMES), _seconds(1, 16), _FULL),
    "viduq3-turbo": {
        **_main((TEXT, *_FRAMES), _seconds(1, 16), _FULL),
        **_main((REFERENCES,), _seconds(3, 16), _FULL),
    },
    "viduq3-pro-fast": _main((FIRST_FRAME,), _seconds(1, 16), _FAST),
    "viduq3": _main((REFERENCES,), _seconds(3, 16), _FULL),
    "viduq3-mix": _main((REFERENCES,), _seconds(1, 16), _FAST),
    "viduq2": _main((TEXT, REFERENCES), _seconds(1, 10), _FULL),
    "viduq2-pro": {
        **_main((FIRST_FRAME,), _seconds(1, 10), _FULL),
        **_main((FIRST_LAST_FRAME,), _seconds(1, 8), _FULL),
        **_main((REFERENCES,), _seconds(0, 10), _FULL),
        **_LONGER,
    },
    "viduq2-turbo": {
        **_main((FIRST_FRAME,), _seconds(1, 10), _FULL),
        **_main((FIRST_LAST_FRAME,), _seconds(1, 8), _FULL),
        **_LONGER,
    },
    "viduq2-pro-fast": {
        **_main((FIRST_FRAME,), _seconds(1, 10), _FAST),
        **_main((FIRST_LAST_FRAME,), _seconds(1, 8), _FAST),
    },
    "viduq1": _main(MAIN, (5,), ("1080p",), _THREE_RATIOS),
    "viduq1-classic": _main(_FRAMES, (5,), ("1080p",)),
    "vidu2.0": {
        **_main(_FRAMES, (4, 8), _OLD),
        **_main((REFERENCES,), (4,), ("360p", "720p"), _THREE_RATIOS, _FEW_REFERENCES),
    },
    "vidu1.5": _main(MAIN, (4, 8), _OLD, _THREE_RATIOS, _FEW_REFERENCES),
}

_WITHOUT_MODEL: Mapping[str, _Actions] = {
    UPSCALE.model: _other(UPSCALE, tiers=(UPSCALE_TIER, "2K", "4K", "8K")),
    LIP_SYNC.model: _other(
        LIP_SYNC, images=(0, 1), prompt_characters=SPOKEN_CHARACTERS[1], sound=True
    ),
    TEMPLATE.model: _other(
        TEMPLATE,
        ratios=_FIVE_RATIOS,
        images=_TEMPLATE_PICTURES,
        prompt_characters=_LONGEST_SHORT_PROMPT,
        seed=True,
    ),
    STORY.model: _other(STORY, images=_TEMPLATE_PICTURES),
}
"""By the names that clients use."""

_RETIRED: Mapping[str, str] = {"vidu1.0": UPSCALE.model}
"""From a model that the vendor gave up to the one that takes its requests.

Of vidu1.0 only upscaling was left.
"""

_LINK_LIFETIME = timedelta(hours=24)
_EARLIEST = timedelta(seconds=30)
_USUAL = timedelta(minutes=3)
"""The documentation says "30 s to several minutes"."""


def family_of(model: str) -> Family | None:
    """What a model has in common with its kind; `None` for an unknown one."""
    return _FAMILIES[model[:6]] if model in _ACTIONS else None


def _model(name: str, successor: str | None = None) -> ModelCapabilities:
    runs = successor or name
    actions, family = {**_ACTIONS, **_WITHOUT_MODEL}[runs], family_of(runs)
    if family is not None:
        actions = {
            action: replace(
                row,
                prompt_characters=row.prompt_characters or family.prompt,
                sound=action in family.sound,
            )
            for action, row in actions.items()
        }
    return ModelCapabilities(
        name=name,
        actions=actions,
        successor=successor,
        earliest=_EARLIEST if family else None,
        usual=_USUAL if family else None,
        link_lifetime=_LINK_LIFETIME,
    )


MODELS: Mapping[str, ModelCapabilities] = {
    **{name: _model(name) for name in (*_ACTIONS, *_WITHOUT_MODEL)},
    **{name: _model(name, successor) for name, successor in _RETIRED.items()},
}

ANY_RATIO_SUBJECTS = frozenset({"viduq2", "viduq2-pro", "viduq3", "viduq3-turbo"})
"""Models that take any ratio when the pictures come as named subjects."""

OLDEST = frozenset({"vidu1.5", "vidu2.0"})
"""Models whose longer clips are made in one resolution alone."""

OLDEST_LONG_TIER = "720p"
_OLDEST_LONG_SECONDS = 8


def tiers_at(model: str, action: ActionCapabilities, duration: float | None) -> tuple[str, ...]:
    """The resolutions a known model makes at a duration in seconds, `None` for its default."""
    return (OLDEST_LONG_TIER,) if _is_narrowed(model, duration) else action.tiers


def default_tier(model: str, duration: float | None) -> str | None:
    """What the vendor makes when no resolution is asked for; `None` for an unknown model."""
    family = family_of(model)
    if _is_narrowed(model, duration):
        return OLDEST_LONG_TIER
    return family.tier if family else None


def _is_narrowed(model: str, duration: float | None) -> bool:
    return model in OLDEST and duration == _OLDEST_LONG_SECONDS


def successor_of(model: str) -> str:
    """The model that runs: of one that the vendor gave up, the one in its place."""
    return _RETIRED.get(model, model)


def automatic_duration(model: str, action: Action) -> bool:
    """Whether a duration of 0 lets the service choose, rather than mean "not given"."""
    return model == "viduq2-pro" and action is Action.REFERENCES
