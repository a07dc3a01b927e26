"""Kling's own words for what clients call alike everywhere, and every field it documents.

Source: the pages under https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from vidgate.providers.kling.foreign import FIELDS
from vidgate.providers.kling.models import TIER_OF_MODE
from vidgate.providers.words import Meaning, Vocabulary

__all__ = ["VOCABULARY"]

_COMMON = frozenset({"prompt", "watermark_info", "contents", "settings", "options"})
_OF_RETIRED_MODELS = frozenset({"camera_control", "static_mask", "dynamic_masks"})
_OTHER_GENERATION = frozenset({"resolution", "audio"})
"""Members of `settings`, which are taken at the top level too."""

VOCABULARY = Vocabulary(
    # A resolution is put in the words of the generation that runs, as all of `settings` is.
    fields={
        Meaning.TIER: "resolution",
        Meaning.RATIO: "aspect_ratio",
        Meaning.SOUND: "sound",
        Meaning.MODE: "mode",
        Meaning.NEGATIVE_PROMPT: "negative_prompt",
        Meaning.WATERMARK: "watermark_info",
    },
    values={
        Meaning.TIER: {tier: tier for tier in TIER_OF_MODE.values()},
        Meaning.SOUND: {True: "on", False: "off"},
        Meaning.WATERMARK: {True: {"enabled": True}, False: {"enabled": False}},
    },
    documented=frozenset().union(*FIELDS.values(), _COMMON, _OF_RETIRED_MODELS, _OTHER_GENERATION),
    frame_action="first_last_frame",
)
