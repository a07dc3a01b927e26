"""What each Kling model takes, as data.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/ and
https://kling.ai/document-api/guides/capability-map/video, read 2026-09-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.base import Action, ActionCapabilities, Capabilities, ModelCapabilities, Pace

__all__ = [
    "CAPABILITIES",
    "DEFAULT_DURATION_SECONDS",
    "IMAGE_TO_VIDEO",
    "MODE_OF_TIER",
    "RATIOS",
    "TEXT_TO_VIDEO",
    "TIER_OF_MODE",
    "Traits",
    "find_traits",
    "pace_of",
]

TEXT_TO_VIDEO = "/v1/videos/text2video"
IMAGE_TO_VIDEO = "/v1/videos/image2video"
_OMNI_VIDEO = "/v1/videos/omni-video"

RATIOS = ("16:9", "9:16", "1:1")

TIER_OF_MODE = MappingProxyType({"std": "720p", "pro": "1080p", "4k": "4k"})
"""The legacy `mode` by its resolution; the vendor's ledger writes them as the same thing."""

MODE_OF_TIER = MappingProxyType({tier: mode for mode, tier in TIER_OF_MODE.items()})

DEFAULT_DURATION_SECONDS = 5
"""On every endpoint, when none is asked for."""

_TO_1080P = ("720p", "1080p")
_TO_4K = ("720p", "1080p", "4k")
_3_TO_15 = tuple(range(3, 16))
_3_TO_10 = tuple(range(3, 11))
_5_OR_10 = (5, 10)

_PROMPT_CHARACTERS = 2500
_LONG_PROMPT_CHARACTERS = 3072
"""The new endpoints of 3.0, 3.0 Omni and 3.0 Turbo from text."""

_OMNI_IMAGES = 7
"""Pictures and elements together, without a reference video."""

_SUCCESSOR = "kling-v2-5-turbo"
_RETIRED = (
    "kling-v1",
    "kling-v1-5",
    "kling-v1-6",
    "kling-v2-master",
    "kling-v2-1",
    "kling-v2-1-master",
)
"""Since 2026-09-15 they answer 404 with code 1203."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the translation has to know of a model.

    Attributes:
        name: The vendor's, as it is sent.
        actions: As in its capabilities.
        is_known: Whether its values are checked; those of other models are the vendor's to judge.
        is_path_model: Whether it is of the new generation: the model in the path, `settings`.
        is_omni: Whether one endpoint takes text, frames and references alike.
        default_tier: What runs when none is asked for.
        has_sound_always: Whether it has no silent videos.
        prompt_characters: The longest prompt by action; `None` where nobody has said.
        first_ask: After the submit, near the earliest finish ever seen.
    """

    name: str
    actions: Mapping[Action, ActionCapabilities]
    is_known: bool = True
    is_path_model: bool = False
    is_omni: bool = False
    default_tier: str = "720p"
    has_sound_always: bool = False
    prompt_characters: Mapping[Action, int]
    first_ask: timedelta = timedelta(seconds=30)

    def action(self, action: Action) -> ActionCapabilities:
        """What it takes for this, or for the nearest thing that it does at all."""
        if action in self.actions:
            return self.actions[action]
        return self.actions[Action.TEXT if action is Action.TEXT else Action.FIRST_FRAME]


def _frame_actions(
    text: str,
    frames: str,
    *,
    durations: tuple[int, ...],
    tiers: tuple[str, ...],
    last_frame_tiers: tuple[str, ...],
) -> dict[Action, ActionCapabilities]:
    actions = {
        Action.TEXT: ActionCapabilities(
            endpoint=text, durations=durations, tiers=tiers, ratios=RATIOS
        ),
        Action.FIRST_FRAME: ActionCapabilities(
            endpoint=frames, durations=durations, tiers=tiers, images=(1, 1)
        ),
    }
    if last_frame_tiers:
        actions[Action.FIRST_LAST_FRAME] = ActionCapabilities(
            endpoint=frames, durations=durations, tiers=last_frame_tiers, images=(2, 2)
        )
    return actions


def _omni_actions(
    endpoint: str,
    *,
    durations: tuple[int, ...],
    tiers: tuple[str, ...],
    text_durations: tuple[int, ...] = (),
    first_frame_durations: tuple[int, ...] = (),
) -> dict[Action, ActionCapabilities]:
    """All on one endpoint. The frames are reached through `metadata`: see `wire`."""
    every = ActionCapabilities(endpoint=endpoint, durations=durations, tiers=tiers)
    return {
        Action.TEXT: replace(every, durations=text_durations or durations, ratios=RATIOS),
        Action.FIRST_FRAME: replace(
            every, durations=first_frame_durations or durations, images=(1, 1)
        ),
        Action.FIRST_LAST_FRAME: replace(every, images=(2, 2)),
        Action.REFERENCES: replace(every, ratios=RATIOS, images=(1, _OMNI_IMAGES)),
    }


def _limits(text: int, pictures: int | None = None) -> Mapping[Action, int]:
    pictures = pictures or text
    return {action: text if action is Action.TEXT else pictures for action in Action}


_TRAITS = (
    Traits(
        name="kling-v3",
        actions=_frame_actions(
            TEXT_TO_VIDEO,
            IMAGE_TO_VIDEO,
            durations=_3_TO_15,
            tiers=_TO_4K,
            last_frame_tiers=_TO_4K,
        ),
        prompt_characters=_limits(_PROMPT_CHARACTERS),
    ),
    Traits(
        name="kling-v2-6",
        actions=_frame_actions(
            TEXT_TO_VIDEO,
            IMAGE_TO_VIDEO,
            durations=_5_OR_10,
            tiers=_TO_1080P,
            last_frame_tiers=("1080p",),
        ),
        prompt_characters=_limits(_PROMPT_CHARACTERS),
    ),
    Traits(
        name="kling-v2-5-turbo",
        actions=_frame_actions(
            TEXT_TO_VIDEO,
            IMAGE_TO_VIDEO,
            durations=_5_OR_10,
            tiers=_TO_1080P,
            last_frame_tiers=("1080p",),
        ),
        prompt_characters=_limits(_PROMPT_CHARACTERS),
        first_ask=timedelta(seconds=20),
    ),
    Traits(
        name="kling-v3-omni",
        actions=_omni_actions(_OMNI_VIDEO, durations=_3_TO_15, tiers=_TO_4K),
        is_omni=True,
        default_tier="1080p",
        prompt_characters=_limits(_PROMPT_CHARACTERS),
    ),
    Traits(
        name="kling-video-o1",
        actions=_omni_actions(
            _OMNI_VIDEO,
            durations=_3_TO_10,
            tiers=_TO_1080P,
            text_durations=_5_OR_10,
            first_frame_durations=_5_OR_10,
        ),
        is_omni=True,
        default_tier="1080p",
        prompt_characters=_limits(_PROMPT_CHARACTERS),
    ),
    Traits(
        name="kling-3.0-turbo",
        actions=_frame_actions(
            "/text-to-video/kling-3.0-turbo",
            "/image-to-video/kling-3.0-turbo",
            durations=_3_TO_15,
            tiers=_TO_1080P,
            last_frame_tiers=(),
        ),
        is_path_model=True,
        has_sound_always=True,
        prompt_characters=_limits(_LONG_PROMPT_CHARACTERS, _PROMPT_CHARACTERS),
        first_ask=timedelta(seconds=20),
    ),
    Traits(
        name="kling-3.0",
        actions=_frame_actions(
            "/text-to-video/kling-3.0",
            "/image-to-video/kling-3.0",
            durations=_3_TO_15,
            tiers=_TO_4K,
            last_frame_tiers=_TO_4K,
        ),
        is_path_model=True,
        prompt_characters=_limits(_LONG_PROMPT_CHARACTERS),
    ),
    Traits(
        name="kling-2.6",
        actions=_frame_actions(
            "/text-to-video/kling-2.6",
            "/image-to-video/kling-2.6",
            durations=_5_OR_10,
            tiers=_TO_1080P,
            last_frame_tiers=("1080p",),
        ),
        is_path_model=True,
        prompt_characters=_limits(_PROMPT_CHARACTERS),
    ),
    Traits(
        name="kling-2.5-turbo",
        actions=_frame_actions(
            "/text-to-video/kling-2.5-turbo",
            "/image-to-video/kling-2.5-turbo",
            durations=_5_OR_10,
            tiers=_TO_1080P,
            last_frame_tiers=("1080p",),
        ),
        is_path_model=True,
        prompt_characters=_limits(_PROMPT_CHARACTERS),
        first_ask=timedelta(seconds=20),
    ),
    Traits(
        name="kling-3.0-omni",
        actions=_omni_actions("/omni-video/kling-3.0-omni", durations=_3_TO_15, tiers=_TO_4K),
        is_path_model=True,
        is_omni=True,
        prompt_characters=_limits(_LONG_PROMPT_CHARACTERS),
    ),
    Traits(
        name="kling-o1",
        actions=_omni_actions(
            "/omni-video/kling-o1",
            durations=_3_TO_10,
            tiers=_TO_1080P,
            first_frame_durations=_5_OR_10,
        ),
        is_path_model=True,
        is_omni=True,
        prompt_characters=_limits(_PROMPT_CHARACTERS),
    ),
)

_BY_NAME = MappingProxyType({traits.name: traits for traits in _TRAITS})

_UNKNOWN_ACTIONS = MappingProxyType(
    {
        Action.TEXT: ActionCapabilities(endpoint=TEXT_TO_VIDEO),
        Action.FIRST_FRAME: ActionCapabilities(endpoint=IMAGE_TO_VIDEO, images=(1, 1)),
        Action.FIRST_LAST_FRAME: ActionCapabilities(endpoint=IMAGE_TO_VIDEO, images=(2, 2)),
    }
)

CAPABILITIES = Capabilities(
    model_patterns=("kling-*",),
    base_url="https://api-singapore.klingai.com",
    credential_form="API_KEY or ACCESS|SECRET",
    models=MappingProxyType(
        {
            traits.name: ModelCapabilities(name=traits.name, actions=traits.actions)
            for traits in _TRAITS
        }
        | {
            name: ModelCapabilities(
                name=name, actions=_BY_NAME[_SUCCESSOR].actions, successor=_SUCCESSOR
            )
            for name in _RETIRED
        }
    ),
    find=True,
)


def find_traits(model: str, *, map_retired_models: bool) -> Traits:
    """Find what runs when this model is asked for.

    Raises:
        UnsupportedParameterError: It is retired, and is not to run as its successor.
    """
    if model in _RETIRED or model.startswith("kling-v2-1-"):
        if not map_retired_models:
            raise UnsupportedParameterError(
                "model", f"Kling has retired {model}.", allowed=(_SUCCESSOR,)
            )
        return _BY_NAME[_SUCCESSOR]
    known = _BY_NAME.get(model)
    return known or Traits(
        name=model, actions=_UNKNOWN_ACTIONS, is_known=False, prompt_characters={}
    )


def pace_of(traits: Traits, tier: str | None) -> Pace:
    """How to follow a job: 3 s at 720p were seen to take 28 s, and clients ask every 3 to 16 s."""
    return Pace(
        first_ask=traits.first_ask,
        interval=timedelta(seconds=4),
        max_interval=timedelta(seconds=15),
        deadline=timedelta(minutes=60 if tier == "4k" else 30),
    )
