"""What each `req_key` takes, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from vidgate.providers.base import LARGE_PACE, LONG_PACE, Action, Pace
from vidgate.providers.pictures import PictureLimits

__all__ = [
    "ACTIONS",
    "FRAMES_PER_SECOND",
    "INLINE_FIELD",
    "KEYS",
    "LIST_FIELD",
    "NO_VIDEO_KEYS",
    "SLOW_PACE",
    "SYNC2ASYNC",
    "URL_FIELD",
    "Calls",
    "ReqKey",
    "calls_of",
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

_CAMERA_TEMPLATES = (
    *("hitchcock_dolly_in", "hitchcock_dolly_out", "robo_arm", "dynamic_orbit", "central_orbit"),
    *("crane_push", "quick_pull_back", "counterclockwise_swivel", "clockwise_swivel", "handheld"),
    "rapid_push_pull",
)
"""Values of `template_id`, which the camera key requires, as it does `camera_strength`.

Source: https://www.volcengine.com/docs/85621/1792710, read 2026-11-20
"""

_CAMERA_STRENGTHS = ("weak", "medium", "strong")

FRAMES_PER_SECOND = 24
"""`frames` is this times the seconds, and one more: 121 and 241."""

LIST_FIELD = "image_urls"
INLINE_FIELD = "binary_data_base64"
URL_FIELD = "image_url"

_LISTS = (LIST_FIELD, INLINE_FIELD)

_PICTURE_BYTES = 4_700_000
"""The pages say 4.7 MB; of the possible meanings this is the smallest."""

_MEDIA_TYPES = ("image/jpeg", "image/png")

_FRAME_LIMITS = PictureLimits(
    media_types=_MEDIA_TYPES,
    size_bytes=_PICTURE_BYTES,
    shortest_side=320,
    longest_side=4096,
    longest_ratio=3,
)
"""Source: https://www.volcengine.com/docs/85621/1785204, read 2026-11-20"""

_ACTOR_LIMITS = PictureLimits(
    media_types=_MEDIA_TYPES, size_bytes=_PICTURE_BYTES, shortest_side=480
)
"""The page wants 480x480 at least; what is larger than 1920x1080 is made smaller there.

Source: https://www.volcengine.com/docs/85621/2201579, read 2026-11-20
"""


SLOW_PACE = replace(LONG_PACE, deadline=timedelta(hours=2))
"""Motion and avatar keys work 18 to 20 times as long as their video, which may be a minute."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The actions by which a key's jobs are made and asked about."""

    submit: str
    poll: str


SYNC2ASYNC = Calls("CVSync2AsyncSubmitTask", "CVSync2AsyncGetResult")
_CV = Calls("CVSubmitTask", "CVGetResult")

_CV_PREFIX = "jimeng_realman_avatar_"
"""OmniHuman's keys are of the older pair, those of it that we do not know too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReqKey:
    """What one `req_key` takes.

    Attributes:
        tiers: Lowest first; where there are several, `output_resolution` chooses, and the highest
            is made when nothing does.
        images: The fewest and the most pictures.
        action: `None` where the number of pictures says it.
        picture_fields: Where the pictures go, and which of the client's replace the generic ones.
        picture_limits: Of one that comes inline.
        needs: Vendor fields without which the service refuses a request.
        choices: Values of vendor fields that take no others.
        switches: Vendor fields that are true or false.
        link_lists: Vendor fields that are arrays of URLs, beside the pictures.
        unwritten: Fields whose support no page states; the service decides.
        text_ratios: Values of `aspect_ratio` without a picture.
        picture_ratios: The same with one, of which the service then insists on being told one;
            empty where the picture gives the shape.
        has_prompt: Whether `prompt` is a field.
        needs_prompt: Whether the service refuses a request without it; a key for text always does.
        prompt_limit: In characters, `None` where none is known.
        has_seed: Whether `seed` is a field.
        durations: In whole seconds; the first is the one of a request that names none, and where
            there are more `frames` chooses. Empty where a video or a sound gives it.
        sizes: Exact sizes in pixels that it makes, where they are known, with their ratios.
        has_sound: Whether what it makes can be heard.
        has_callback: Whether `callback_url` is a field.
        pace: How to follow its jobs.
        earliest: As in `ModelCapabilities`.
        usual: Likewise.
    """

    name: str
    tiers: tuple[str, ...]
    images: tuple[int, int]
    action: Action | None = None
    picture_fields: tuple[str, ...] = _LISTS
    picture_limits: PictureLimits = _FRAME_LIMITS
    needs: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    switches: tuple[str, ...] = ()
    link_lists: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()
    text_ratios: tuple[str, ...] = ()
    picture_ratios: tuple[str, ...] = ()
    has_prompt: bool = True
    needs_prompt: bool = False
    prompt_limit: int | None = None
    has_seed: bool = True
    durations: tuple[int, ...] = ()
    sizes: Mapping[tuple[int, int], str] = field(default_factory=dict)
    has_sound: bool = False
    has_callback: bool = False
    pace: Pace = SLOW_PACE
    earliest: timedelta | None = None
    usual: timedelta | None = None

    @property
    def tier(self) -> str:
        """What is made when nothing in a request chooses it."""
        return self.tiers[-1]

    @property
    def has_resolution(self) -> bool:
        """Whether `output_resolution` is a field."""
        return len(self.tiers) > 1

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Values of `output_resolution`."""
        tiers = self.tiers if self.has_resolution else ()
        return tuple(int(tier.removesuffix("p")) for tier in tiers)

    @property
    def has_frames(self) -> bool:
        """Whether `frames` is a field."""
        return len(self.durations) > 1

    @property
    def frames(self) -> tuple[int, ...]:
        """How many it makes; where `has_frames`, these are the values of `frames`."""
        return tuple(FRAMES_PER_SECOND * each + 1 for each in self.durations)

    @property
    def fields(self) -> frozenset[str]:
        """Every field of its page, but for those of all keys and of ours."""
        optional = {
            "prompt": self.has_prompt,
            "seed": self.has_seed,
            "frames": self.has_frames,
            "aspect_ratio": self.text_ratios or self.picture_ratios,
            "output_resolution": self.has_resolution,
        }
        named = (name for name, is_one in optional.items() if is_one)
        other = (*self.picture_fields, *self.needs, *self.choices, *self.switches)
        return frozenset((*named, *other, *self.link_lists, *self.unwritten))

    @property
    def picture_counts(self) -> tuple[int, ...]:
        """How many pictures it may get."""
        return tuple(range(self.images[0], self.images[1] + 1))

    def action_with(self, pictures: int) -> Action:
        """What is done with so many pictures."""
        fewest, most = self.images
        return self.action or ACTIONS[max(fewest, min(pictures, most))]


ACTIONS = (Action.TEXT, Action.FIRST_FRAME, Action.FIRST_LAST_FRAME)
"""What is done with no picture, one, two."""


_TEXT_720P = ReqKey(
    name="jimeng_t2v_v30",
    tiers=("720p",),
    images=(0, 0),
    text_ratios=_RATIOS,
    needs_prompt=True,
    prompt_limit=800,
    durations=(5, 10),
    # Typically one to five minutes; tasks are kept for twelve hours.
    pace=replace(LARGE_PACE, first_ask=timedelta(seconds=45)),
    earliest=timedelta(minutes=1),
    usual=timedelta(minutes=5),
)
_FIRST_720P = replace(_TEXT_720P, name="jimeng_i2v_first_v30", images=(1, 1), text_ratios=())
_TEXT_1080P = replace(_TEXT_720P, name="jimeng_t2v_v30_1080p", tiers=("1080p",), sizes=_SIZES_1080P)
_FIRST_1080P = replace(
    # The picture keys of this tier end in 1080, without the p of the one for text.
    _FIRST_720P,
    name="jimeng_i2v_first_v30_1080",
    tiers=("1080p",),
    sizes=_SIZES_1080P,
)
_TEXT_S2 = ReqKey(
    name="jimeng_vgfm_t2v_l20",
    tiers=("720p",),
    images=(0, 0),
    text_ratios=_LEGACY_RATIOS,
    needs_prompt=True,
    prompt_limit=150,
    durations=(5,),
    # Its page states no time; its videos are short and small.
    pace=LARGE_PACE,
)
_ACTOR = ReqKey(
    # Its page gives one picture and one video of at most 30 seconds, and nothing else.
    name="jimeng_dream_actor_m1_gen_video_cv",
    tiers=("720p",),
    images=(1, 1),
    action=Action.MOTION,
    picture_fields=(URL_FIELD,),
    needs=("video_url",),
    has_prompt=False,
    has_seed=False,
    # About 18 seconds of work for each of at most 30.
    usual=timedelta(minutes=9),
)
_AVATAR = ReqKey(
    name="jimeng_realman_avatar_picture_omni_v15",
    tiers=("720p", "1080p"),
    images=(1, 1),
    action=Action.AVATAR,
    picture_fields=(URL_FIELD,),
    needs=("audio_url",),
    switches=("pe_fast_mode",),
    link_lists=("mask_url",),
    prompt_limit=300,
    has_sound=True,
    # About 20 seconds of work for each of at most 60.
    usual=timedelta(minutes=20),
)

KEYS: Mapping[str, ReqKey] = {
    key.name: key
    for key in (
        _TEXT_720P,
        _FIRST_720P,
        replace(_FIRST_720P, name="jimeng_i2v_first_tail_v30", images=(2, 2)),
        replace(
            _FIRST_720P,
            name="jimeng_i2v_recamera_v30",
            action=Action.CAMERA,
            needs=("template_id",),
            choices={"template_id": _CAMERA_TEMPLATES, "camera_strength": _CAMERA_STRENGTHS},
        ),
        _TEXT_1080P,
        _FIRST_1080P,
        replace(_FIRST_1080P, name="jimeng_i2v_first_tail_v30_1080", images=(2, 2)),
        replace(_TEXT_1080P, name="jimeng_ti2v_v30_pro", images=(0, 1), needs_prompt=False),
        _TEXT_S2,
        replace(
            _TEXT_S2,
            name="jimeng_vgfm_i2v_l20",
            images=(1, 1),
            # Its page states no limit of a picture; those of the 3.0 keys are theirs alone.
            picture_limits=PictureLimits(),
            text_ratios=(),
            picture_ratios=_LEGACY_RATIOS,
            # Its page does not say that a prompt is required, so the service decides.
            needs_prompt=False,
        ),
        _ACTOR,
        replace(
            _ACTOR,
            name="jimeng_dreamactor_m20_gen_video",
            picture_fields=_LISTS,
            picture_limits=_ACTOR_LIMITS,
            switches=("cut_result_first_second_switch",),
            has_callback=True,
        ),
        _AVATAR,
        replace(
            # Of the quick mode nothing is written down but its picture, its sound and its size.
            _AVATAR,
            name="jimeng_realman_avatar_picture_omni_v2",
            tiers=("480p",),
            switches=(),
            link_lists=(),
            unwritten=("prompt", "seed", "output_resolution", "pe_fast_mode", "mask_url"),
            has_prompt=False,
            has_seed=False,
            prompt_limit=None,
        ),
    )
}
"""Every key that makes a video and that we know.

Source: https://www.volcengine.com/docs/85621/1792710 (720P), /1792711 (1080P), /1777001 (Pro),
/1544774 (S2.0), /1798351 and /2201579 (motion), /1829013 (OmniHuman), read 2026-11-20
"""

NO_VIDEO_KEYS: Mapping[str, str] = {
    "jimeng_realman_avatar_picture_create_role_omni_v15": "jimeng_realman_avatar_picture_omni_v15",
    "jimeng_realman_avatar_object_detection": "jimeng_realman_avatar_picture_omni_v15",
    "jimeng_realman_avatar_picture_create_role_omni": "jimeng_realman_avatar_picture_omni_v2",
}
"""Keys that look at a picture and answer in JSON, with the one that makes the video after them.

Source: https://www.volcengine.com/docs/85621/1828975, /1829011, read 2026-11-20
"""


def calls_of(name: str) -> Calls:
    """By which actions a key's jobs are made and asked about, also one that we do not know."""
    return _CV if name.startswith(_CV_PREFIX) else SYNC2ASYNC
