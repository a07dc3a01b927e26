"""Calls that Kling answers at once, before a lip-sync and before an edit of a video's objects.

They look for faces in a video or select objects in it, and make no job: whatever comes of one, it
may be repeated. What they open, the session, is known to the account that opened it alone.

Source: the face recognition and multi-elements pages under
https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx

from vidgate.models.outcomes import Rejected
from vidgate.providers.answers import can_be_passed_on
from vidgate.providers.kling.answers import Envelope
from vidgate.providers.kling.models import IDENTIFY_FACE, PRODUCT_NAMES, Product

__all__ = ["DIRECT_CALLS", "LEGACY_VIDEOS", "SESSION_FIELDS", "read_data"]

LEGACY_VIDEOS = "/v1/videos/"

_SELECTIONS = ("init", "add", "delete", "clear", "preview")

DIRECT_CALLS = MappingProxyType(
    {IDENTIFY_FACE.removeprefix(LEGACY_VIDEOS): PRODUCT_NAMES[Product.LIP_SYNC]}
    | {
        f"multi-elements/{step}-selection": PRODUCT_NAMES[Product.MULTI_ELEMENTS]
        for step in _SELECTIONS
    }
)
"""Each by its path below `/v1/videos/`, and the product that it is a step of."""

SESSION_FIELDS = frozenset({"session_id"})


def read_data(envelope: Envelope) -> Mapping[str, Any] | Rejected:
    """Take what the vendor answered; nothing where it did as asked and had nothing to say.

    Raises:
        ProviderProtocolError: The answer says neither that it was done nor why it was not.
    """
    if not envelope.is_accepted:
        fault = envelope.refusal()
        if fault is None:
            raise envelope.error("which is no answer")
        return Rejected(fault)
    if envelope.status >= httpx.codes.BAD_REQUEST:
        raise envelope.error("and says at once that it did and that it did not")
    if envelope.data is None:
        return {}
    if not isinstance(envelope.data, Mapping) or not can_be_passed_on(envelope.data):
        raise envelope.error("which is nothing that could be passed on")
    return envelope.data
