"""What is offered, and how a job of each key is followed."""

from datetime import timedelta

from vidgate.providers.base import ActionCapabilities, Capabilities, ModelCapabilities, Pace
from vidgate.providers.jimeng.families import FAMILY_NAMES, keys_behind
from vidgate.providers.jimeng.keys import KEYS, ReqKey

__all__ = ["CAPABILITIES", "LINK_LIFETIME", "pace_of"]

LINK_LIFETIME = timedelta(hours=1)
"""Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20"""

_PACE = Pace(
    first_ask=timedelta(seconds=45),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=15),
    deadline=timedelta(minutes=60),
)
"""The 3.0 keys typically take one to five minutes; their tasks are kept for twelve hours."""

_LEGACY_PACE = Pace(
    first_ask=timedelta(seconds=30),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=15),
    deadline=timedelta(minutes=60),
)
"""S2.0 states no time; its videos are short and small."""

_SLOW_PACE = Pace(
    first_ask=timedelta(seconds=30),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=15),
    deadline=timedelta(hours=2),
)
"""Motion and avatar keys work 18 to 20 times as long as their video, which may be a minute; a key
that we do not know may be like them."""


def pace_of(key_name: str) -> Pace:
    """How to follow a job of this key."""
    key = KEYS.get(key_name)
    if key is None or not key.durations:
        return _SLOW_PACE
    return _PACE if key.has_frames else _LEGACY_PACE


def _action(key: ReqKey, pictures: int) -> ActionCapabilities:
    return ActionCapabilities(
        endpoint=key.name,
        durations=key.durations,
        tiers=key.tiers,
        ratios=key.picture_ratios if pictures else key.text_ratios,
        images=(pictures, pictures),
        prompt_characters=key.prompt_limit,
        sound=key.has_sound,
        seed=key.has_seed,
    )


def _model(name: str) -> ModelCapabilities:
    keys = keys_behind(name)
    first, _ = keys[0]
    return ModelCapabilities(
        name=name,
        actions={key.action_with(pictures): _action(key, pictures) for key, pictures in keys},
        earliest=first.earliest,
        usual=first.usual,
        link_lifetime=LINK_LIFETIME,
    )


CAPABILITIES = Capabilities(
    model_patterns=("jimeng*",),
    base_url="https://visual.volcengineapi.com",
    credential_form="ACCESS|SECRET or ACCESS|SECRET|SESSIONTOKEN",
    models={name: _model(name) for name in dict.fromkeys((*FAMILY_NAMES, *KEYS))},
    # Only some keys take an address; it is given to those.
)
"""A submit without an answer cannot be found: there is no client token and no list."""
