"""What is offered: which keys are one family, which of them runs, and how its job is followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from vidgate.providers.base import ActionCapabilities, Capabilities, ModelCapabilities
from vidgate.providers.jimeng.keys import KEYS, ReqKey

__all__ = [
    "CAPABILITIES",
    "FAMILY_NAMES",
    "LINK_LIFETIME",
    "family_names",
    "model_of_tier",
    "picture_counts",
    "resolve",
]


LINK_LIFETIME = timedelta(hours=1)
"""Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Keys of one price and quality, which a permission for one of them covers.

    Attributes:
        aliases: Names that are no keys: what the request carries decides which one runs.
        by_pictures: The key for no picture, one, two.
        camera: The key for a camera template, or empty.
    """

    aliases: tuple[str, ...] = ()
    by_pictures: tuple[str, ...]
    camera: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        every = (*self.aliases, *self.by_pictures, self.camera)
        return tuple(dict.fromkeys(name for name in every if name))

    def resolves(self, name: str, pictures: int) -> bool:
        """Whether this name leaves the key open; one for text does when there are pictures."""
        return name in self.aliases or (name == self.by_pictures[0] and pictures > 0)


_FAMILIES = (
    _Family(
        aliases=("jimeng_v30",),
        by_pictures=("jimeng_t2v_v30", "jimeng_i2v_first_v30", "jimeng_i2v_first_tail_v30"),
        camera="jimeng_i2v_recamera_v30",
    ),
    _Family(
        aliases=("jimeng_v30_1080p", "jimeng_v30_1080"),
        by_pictures=(
            "jimeng_t2v_v30_1080p",
            "jimeng_i2v_first_v30_1080",
            "jimeng_i2v_first_tail_v30_1080",
        ),
    ),
    _Family(aliases=("jimeng_v30_pro",), by_pictures=("jimeng_ti2v_v30_pro",) * 2),
    _Family(by_pictures=("jimeng_vgfm_t2v_l20", "jimeng_vgfm_i2v_l20")),
)
"""Motion and avatar keys are not in it: each is priced by itself and makes one thing."""

_FAMILY_OF = {name: family for family in _FAMILIES for name in family.names}

FAMILY_NAMES = tuple(_FAMILY_OF)
"""Every key and alias that belongs to a family."""


def family_names(model: str) -> tuple[str, ...]:
    """The keys and aliases of a model's family; only itself for one that has none."""
    family = _FAMILY_OF.get(model)
    return family.names if family else (model,)


_BY_TIER = {"jimeng_v30": {"1080p": "jimeng_v30_1080p"}}
"""Aliases that leave the tier open too, and what they are at another than their own."""


def model_of_tier(model: str, tier: str | None) -> str:
    """The model that makes a tier, where the one that is asked for leaves it open."""
    return _BY_TIER.get(model, {}).get(tier or "", model)


def resolve(model: str, *, pictures: int, wants_camera: bool) -> str:
    """The key that runs, from what a request carries.

    An alias leaves it open, and so does a key for text when there are pictures: the service would
    take them, ignore them and bill the video.
    """
    family = _FAMILY_OF.get(model)
    if family is None or not family.resolves(model, pictures):
        return model
    if wants_camera and family.camera:
        return family.camera
    return family.by_pictures[min(pictures, len(family.by_pictures) - 1)]


def picture_counts(model: str, key: ReqKey, *, pictures: int) -> tuple[int, ...]:
    """How many pictures a request for `model`, which became `key`, may carry."""
    family = _FAMILY_OF.get(key.name)
    if family and key.name in family.by_pictures and family.resolves(model, pictures):
        return tuple(range(len(family.by_pictures)))
    return key.picture_counts


def _keys_behind(name: str) -> list[tuple[ReqKey, int]]:
    """The keys that a name may stand for, each with a number of pictures it does so with."""
    family = _FAMILY_OF.get(name)
    if family is None or not (name in family.aliases or name == family.by_pictures[0]):
        return [(KEYS[name], pictures) for pictures in KEYS[name].picture_counts]
    keys = [(KEYS[key], pictures) for pictures, key in enumerate(family.by_pictures)]
    return [*keys, (KEYS[family.camera], 1)] if family.camera else keys


def _model(name: str) -> ModelCapabilities:
    keys = _keys_behind(name)
    first, _ = keys[0]
    actions = {
        key.action_with(pictures): ActionCapabilities(
            endpoint=key.name,
            durations=key.durations,
            tiers=key.tiers,
            ratios=key.picture_ratios if pictures else key.text_ratios,
            images=(pictures, pictures),
            prompt_characters=key.prompt_limit,
            sound=key.has_sound,
            seed=key.has_seed,
        )
        for key, pictures in keys
    }
    return ModelCapabilities(
        name=name,
        actions=actions,
        earliest=first.earliest,
        usual=first.usual,
        link_lifetime=LINK_LIFETIME,
    )


_PICTURE: Final = (
    "https://h2.inkwai.com/bs2/upload-ylab-stunt/se/ai_portal_queue_mmu_image_upscale_aiweb/"
    "3214b798-e1b4-4b00-b7af-72b5b0417420_raw_image_0.jpg"
)
_EXAMPLE: Final[Mapping[str, Any]] = {
    "model": "jimeng_vgfm_t2v_l20",
    "prompt": "一个穿着宇航服的宇航员在月球上行走",
    "image": _PICTURE,
    "metadata": {
        "req_key": "jimeng_vgfm_i2v_l20",
        "image_urls": [_PICTURE],
        "aspect_ratio": "16:9",
    },
}

CAPABILITIES = Capabilities(
    title="Jimeng",
    model_patterns=("jimeng*",),
    base_url="https://visual.volcengineapi.com",
    credential_form="ACCESS|SECRET or ACCESS|SECRET|SESSIONTOKEN",
    models={name: _model(name) for name in dict.fromkeys((*FAMILY_NAMES, *KEYS))},
    prompt_fields=frozenset({"prompt", "video_url"}),
    example=_EXAMPLE,
)
"""A submit without an answer cannot be found: there is no client token and no list."""
