"""Vidu's own words for what clients call alike everywhere, and every field it documents.

Source: https://platform.vidu.com/docs (the pages of the endpoints), read 2026-11-20.
"""

from dataclasses import replace

from vidgate.models.requests import VideoRequest
from vidgate.providers.vidu.choosing import model_to_permit
from vidgate.providers.vidu.endpoints import ENDPOINTS, UPSCALE
from vidgate.providers.vidu.models import LABELS, MODELS
from vidgate.providers.words import Meaning, Vocabulary

__all__ = ["to_vocabulary"]

_VOCABULARY = Vocabulary(
    fields={
        Meaning.TIER: "resolution",
        Meaning.RATIO: "aspect_ratio",
        Meaning.SOUND: "audio",
        Meaning.WATERMARK: "watermark",
    },
    values={Meaning.TIER: {label.lower(): label for label in LABELS.values()}},
    documented=frozenset().union(*(endpoint.fields for endpoint in ENDPOINTS.values())),
    last_frame=("images", "model"),
    frame_action="first_last_frame",
)
_UNKNOWN_MODEL = replace(_VOCABULARY, passes=True)
_UPSCALE = replace(_VOCABULARY, fields={**_VOCABULARY.fields, Meaning.TIER: UPSCALE.tier_field})


def to_vocabulary(request: VideoRequest) -> Vocabulary:
    """Find the words of what a request is for.

    Raises:
        UnsupportedParameterError: Its `action` names nothing that exists.
    """
    if request.vendor_format is None and model_to_permit(request) == UPSCALE.model:
        return _UPSCALE
    return _VOCABULARY if request.model in MODELS else _UNKNOWN_MODEL
