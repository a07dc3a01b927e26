"""What a request becomes at one channel."""

import asyncio
from dataclasses import asdict, replace
from typing import Any

from vidgate.models.channels import Channel
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Provider, Translation
from vidgate.services.attempts.warnings import check_strict

__all__ = ["facts_document", "translate"]


async def translate(provider: Provider, request: VideoRequest, channel: Channel) -> Translation:
    """Translate a request for a channel, in a thread if it is heavy.

    Args:
        provider: The channel's.
        request: With the client's name of the model, which the channel may map to another.
        channel: Where it is to run.

    Raises:
        UnsupportedParameterError: The model cannot honour a value, or a strict request to the
            letter.
    """
    request = replace(request, model=channel.model_map.get(request.model, request.model))
    if request.is_heavy:
        translation = await asyncio.to_thread(provider.translate, request)
    else:
        translation = provider.translate(request)
    if request.strict:
        check_strict(translation)
    return translation


def facts_document(translation: Translation) -> dict[str, Any]:
    """What is run, as JSON."""
    return {key: value for key, value in asdict(translation.facts).items() if value is not None}
