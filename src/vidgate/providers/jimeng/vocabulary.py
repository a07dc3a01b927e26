"""Jimeng's own words for what clients call alike everywhere, and every field it documents.

Source: the pages under https://www.volcengine.com/docs/85621/, read 2026-11-20.
"""

from dataclasses import replace

from vidgate.models.requests import VideoRequest
from vidgate.providers.jimeng.families import FAMILY_NAMES
from vidgate.providers.jimeng.keys import INLINE_FIELD, KEYS, LIST_FIELD, URL_FIELD
from vidgate.providers.jimeng.labels import LABEL_FIELDS
from vidgate.providers.sizes import read_tier
from vidgate.providers.words import Meaning, Vocabulary

__all__ = ["tier_of", "to_vocabulary"]

_COMMON = frozenset({"req_key", "return_url", "logo_info", LIST_FIELD, INLINE_FIELD, URL_FIELD})

_VOCABULARY = Vocabulary(
    fields={Meaning.RATIO: "aspect_ratio"},
    has_tier_models=True,
    documented=frozenset().union(*(key.fields for key in KEYS.values()), _COMMON, LABEL_FIELDS),
    last_frame=("images", "metadata.action"),
)
_UNKNOWN_KEY = replace(_VOCABULARY, has_tier_models=False, passes=True)


def to_vocabulary(request: VideoRequest) -> Vocabulary:
    """Find the words of what a request is for."""
    names = {request.model, str(request.metadata.get("req_key"))}
    return _VOCABULARY if names & {*KEYS, *FAMILY_NAMES} else _UNKNOWN_KEY


def tier_of(request: VideoRequest) -> str | None:
    """The tier that a request asks for, in whatever words; `None` where it names none."""
    if request.vendor_format is not None:
        return None
    sides = (request.width, request.height)
    short = min((side for side in sides if side is not None), default=None)
    return request.tier or read_tier(request.metadata.get("resolution")) or read_tier(short)
