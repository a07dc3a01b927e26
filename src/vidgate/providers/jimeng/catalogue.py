"""What each `req_key` takes, and which of them are one family."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from vidgate.providers.base import (
    Action,
    ActionCapabilities,
    Capabilities,
    ModelCapabilities,
    Pace,
)

__all__ = [
    "CAMERA_TEMPLATES",
    "CAPABILITIES",
    "KEYS",
    "ReqKey",
    "family_names",
    "pace_of",
    "picture_counts",
    "resolve",
]

_RATIOS = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
"""Source: https://www.volcengine.com/docs/85621/1792704, read 2026-11-20"""

_LEGACY_RATIOS = (*_RATIOS, "9:21")
"""Source: https://www.volcengine.com/docs/85621/1544774, read 2026-11-20"""

_SIZES_1080P = {
    (2176, 928): "21:9",
    (1920, 1088): "16:9",
    (1664, 1248): "4:3",
    (1440, 1440): "1:1",
    (1248, 1664): "3:4",
    (1088, 1920): "9:16",
}
"""What Pro makes, in pixels. No page gives a table for the 1080P keys; theirs is taken as the same.

Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20
"""

CAMERA_TEMPLATES = (
    "hitchcock_dolly_in",
    "hitchcock_dolly_out",
    "robo_arm",
    "dynamic_orbit",
    "central_orbit",
    "crane_push",
    "quick_pull_back",
    "counterclockwise_swivel",
    "clockwise_swivel",
    "handheld",
    "rapid_push_pull",
)
"""Values of `template_id`, which the camera key requires.

Source: https://www.volcengine.com/docs/85621/1792710, read 2026-11-20
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReqKey:
    """What one `req_key` takes.

    Attributes:
        tier: Of every video it makes; nothing in a request chooses it.
        images: The fewest and the most pictures.
        text_ratios: Values of `aspect_ratio` without a picture.
        picture_ratios: The same with one; empty where the picture gives the shape.
        needs_ratio: Whether the service refuses a request without `aspect_ratio`.
        needs_prompt: Whether it does so without `prompt`; a key for text always needs it.
        needs_camera: Whether it does so without `template_id` and `camera_strength`.
        prompt_limit: In characters.
        durations: In whole seconds; the first is the one of a request that names none.
        has_frames: Whether `frames` chooses the duration.
        sizes: Exact sizes in pixels that it makes, where they are known, with their ratios.
    """

    name: str
    tier: str
    images: tuple[int, int]
    text_ratios: tuple[str, ...] = _RATIOS
    picture_ratios: tuple[str, ...] = ()
    needs_ratio: bool = False
    needs_prompt: bool = True
    needs_camera: bool = False
    prompt_limit: int = 800
    durations: tuple[int, ...] = (5, 10)
    has_frames: bool = True
    sizes: Mapping[tuple[int, int], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Keys of one price and quality, which a permission for one of them covers.

    Attributes:
        aliases: Names that are no keys: what the request carries decides which one runs.
        by_pictures: The key for no picture, one, two.
        camera: The key for a camera template, empty where there is none.
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


KEYS: Mapping[str, ReqKey] = {
    key.name: key
    for key in (
        ReqKey(name="jimeng_t2v_v30", tier="720p", images=(0, 0)),
        ReqKey(name="jimeng_i2v_first_v30", tier="720p", images=(1, 1)),
        ReqKey(name="jimeng_i2v_first_tail_v30", tier="720p", images=(2, 2)),
        ReqKey(name="jimeng_i2v_recamera_v30", tier="720p", images=(1, 1), needs_camera=True),
        # The picture keys of this tier end in 1080, without the p of the one for text.
        ReqKey(name="jimeng_t2v_v30_1080p", tier="1080p", images=(0, 0), sizes=_SIZES_1080P),
        ReqKey(name="jimeng_i2v_first_v30_1080", tier="1080p", images=(1, 1), sizes=_SIZES_1080P),
        ReqKey(
            name="jimeng_i2v_first_tail_v30_1080", tier="1080p", images=(2, 2), sizes=_SIZES_1080P
        ),
        ReqKey(
            name="jimeng_ti2v_v30_pro",
            tier="1080p",
            images=(0, 1),
            needs_prompt=False,
            sizes=_SIZES_1080P,
        ),
        ReqKey(
            name="jimeng_vgfm_t2v_l20",
            tier="720p",
            images=(0, 0),
            text_ratios=_LEGACY_RATIOS,
            prompt_limit=150,
            durations=(5,),
            has_frames=False,
        ),
        ReqKey(
            name="jimeng_vgfm_i2v_l20",
            tier="720p",
            images=(1, 1),
            picture_ratios=_LEGACY_RATIOS,
            needs_ratio=True,
            # Its page does not say that a prompt is required, so the service decides.
            needs_prompt=False,
            prompt_limit=150,
            durations=(5,),
            has_frames=False,
        ),
    )
}
"""Every key we know.

Source: https://www.volcengine.com/docs/85621/1792710 (720P), /1792711 (1080P), /1777001 (Pro),
/1544774 (S2.0), read 2026-11-20
"""

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
    _Family(
        aliases=("jimeng_v30_pro",), by_pictures=("jimeng_ti2v_v30_pro", "jimeng_ti2v_v30_pro")
    ),
    _Family(by_pictures=("jimeng_vgfm_t2v_l20", "jimeng_vgfm_i2v_l20")),
)

_FAMILY_OF = {name: family for family in _FAMILIES for name in family.names}


def family_names(model: str) -> tuple[str, ...]:
    """The keys and aliases of a model's family; only itself for one we do not know."""
    family = _FAMILY_OF.get(model)
    return family.names if family else (model,)


def resolve(model: str, *, pictures: int, has_template: bool) -> str:
    """The key that runs, from what a request carries.

    An alias leaves it open, and so does a key for text when there are pictures: the service would
    take them, ignore them and bill the video.
    """
    family = _FAMILY_OF.get(model)
    if family is None or not family.resolves(model, pictures):
        return model
    if has_template and family.camera:
        return family.camera
    return family.by_pictures[min(pictures, len(family.by_pictures) - 1)]


def picture_counts(model: str, key: ReqKey, *, pictures: int) -> tuple[int, ...]:
    """How many pictures a request for `model`, which became `key`, may carry."""
    family = _FAMILY_OF[key.name]
    if key.name in family.by_pictures and family.resolves(model, pictures):
        return tuple(range(len(family.by_pictures)))
    fewest, most = key.images
    return tuple(range(fewest, most + 1))


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

_UNKNOWN_PACE = Pace(
    first_ask=timedelta(seconds=30),
    interval=timedelta(seconds=5),
    max_interval=timedelta(seconds=15),
    deadline=timedelta(hours=2),
)
"""Motion and avatar keys work 18 to 20 times as long as their video, which may be a minute."""


def pace_of(key_name: str) -> Pace:
    """How to follow a job of this key."""
    key = KEYS.get(key_name)
    if key is None:
        return _UNKNOWN_PACE
    return _PACE if key.has_frames else _LEGACY_PACE


def _action(key_name: str, pictures: int) -> ActionCapabilities:
    key = KEYS[key_name]
    return ActionCapabilities(
        endpoint=key_name,
        durations=key.durations,
        tiers=(key.tier,),
        ratios=key.picture_ratios if pictures else key.text_ratios,
        images=(pictures, pictures),
    )


_ACTIONS = (Action.TEXT, Action.FIRST_FRAME, Action.FIRST_LAST_FRAME)
"""What is done with no picture, one, two."""


def _models() -> dict[str, ModelCapabilities]:
    models = {}
    for name, family in _FAMILY_OF.items():
        if name in family.aliases or name == family.by_pictures[0]:
            keys = dict(enumerate(family.by_pictures))
        else:
            keys = {KEYS[name].images[0]: name}
        actions = {_ACTIONS[pictures]: _action(key, pictures) for pictures, key in keys.items()}
        models[name] = ModelCapabilities(name=name, actions=actions)
    return models


CAPABILITIES = Capabilities(
    model_patterns=("jimeng*",),
    base_url="https://visual.volcengineapi.com",
    credential_form="ACCESS|SECRET or ACCESS|SECRET|SESSIONTOKEN",
    models=_models(),
    find=False,
)
"""Nothing can be found, cancelled or called back: the service has no such call for these keys."""
