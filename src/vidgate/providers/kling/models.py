"""What is known of each of Kling's models and products; `tables` has the rows.

The avatar, the lip-sync, the effects and the edit of a video's objects have no model in their
requests. Each has a name of ours here, so that it can be permitted, priced and asked for.

Source: the vendor's model pages under https://kling.ai/document-api/api/video/ and
https://kling.ai/document-api/guides/capability-map/video, read 2026-09-20.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from vidgate.providers.base import Action, ActionCapabilities

__all__ = [
    "ADVANCED_LIP_SYNC",
    "IDENTIFY_FACE",
    "MODE_OF_TIER",
    "OMNI_IMAGES",
    "OMNI_IMAGES_BESIDE_VIDEO",
    "PRODUCT_NAMES",
    "RATIOS",
    "RETIRED",
    "SUCCESSOR",
    "TIER_OF_MODE",
    "Product",
    "Traits",
]

IDENTIFY_FACE = "/v1/videos/identify-face"
ADVANCED_LIP_SYNC = "/v1/videos/advanced-lip-sync"

RATIOS = ("16:9", "9:16", "1:1")

TIER_OF_MODE = MappingProxyType({"std": "720p", "pro": "1080p", "4k": "4k"})
"""The legacy `mode` by its resolution; the vendor's ledger writes them as the same thing."""

MODE_OF_TIER = MappingProxyType({tier: mode for mode, tier in TIER_OF_MODE.items()})

OMNI_IMAGES = 7
"""Pictures and elements together, without a reference video."""

OMNI_IMAGES_BESIDE_VIDEO = 4
"""The same, beside a reference video."""

SUCCESSOR = "kling-v2-5-turbo"
RETIRED = (
    "kling-v1",
    "kling-v1-5",
    "kling-v1-6",
    "kling-v2-master",
    "kling-v2-1",
    "kling-v2-1-master",
)
"""Since 2026-09-15 they answer 404 with code 1203."""


class Product(StrEnum):
    """Each has its own shape of body."""

    FRAMES = "frames"
    """From words, a first frame, or a first and a last one."""
    OMNI = "omni"
    """Words, frames and references alike."""
    MOTION = "motion"
    LIP_SYNC = "lip_sync"
    AVATAR = "avatar"
    EFFECTS = "effects"
    MULTI_ELEMENTS = "multi_elements"


PRODUCT_NAMES = MappingProxyType(
    {
        Product.LIP_SYNC: "kling-lip-sync",
        Product.AVATAR: "kling-avatar",
        Product.EFFECTS: "kling-effects",
        Product.MULTI_ELEMENTS: "kling-multi-elements",
    }
)
"""Our names of what has no model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the translation has to know of a model.

    Attributes:
        name: The vendor's, as it is sent; ours for a product without models.
        product: What it is for, motion control aside.
        actions: As in its capabilities.
        is_known: Whether its values are checked; those of other models are the vendor's to judge.
        is_path_model: Whether it is of the new generation: the model in the path, `settings`.
        default_tier: What runs when none is asked for, `None` where nobody can say.
        sound_tiers: Those it makes sound in, where not in all.
        audios: The words of `settings.audio`; empty where the endpoint has no such field.
        has_shot_field: Whether `multi_shot` is one of its fields.
        has_sound_always: Whether it has no silent videos.
        first_ask: After the submit, near the earliest finish ever seen.
        earliest: The earliest finish that was measured, `None` where none was.
        usual: After which most are finished, `None` where nobody has measured.
    """

    name: str
    product: Product = Product.FRAMES
    actions: Mapping[Action, ActionCapabilities]
    is_known: bool = True
    is_path_model: bool = False
    default_tier: str | None = "720p"
    sound_tiers: tuple[str, ...] = ()
    audios: tuple[str, ...] = ()
    has_shot_field: bool = False
    has_sound_always: bool = False
    first_ask: timedelta = timedelta(seconds=30)
    earliest: timedelta | None = None
    usual: timedelta | None = None

    @property
    def is_omni(self) -> bool:
        """Whether one endpoint takes text, frames and references alike."""
        return self.product is Product.OMNI

    def action(self, action: Action) -> ActionCapabilities:
        """What it takes for this, or for the nearest thing that it does at all."""
        if action in self.actions:
            return self.actions[action]
        return self.actions[Action.TEXT if action is Action.TEXT else Action.FIRST_FRAME]
