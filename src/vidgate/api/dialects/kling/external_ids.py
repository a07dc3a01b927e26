"""The client's own `external_task_id`: unique in its account, as Kling has it.

Clients that lost an answer submit again by the same id and count on being refused.

Source: https://kling.ai/document-api/api/video/, read 2026-09-20.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from vidgate.exceptions import IdempotencyError, InvalidParameterError
from vidgate.models.requests import IdempotencyClaim, Recognition, VideoRequest

__all__ = ["claimed", "key_of"]

_NAME = "external_task_id"
_LONGEST_PLAIN_BYTES = 255
_LIFETIME = timedelta(days=30)
"""As long as Kling keeps a job."""


@asynccontextmanager
async def claimed(
    asked: VideoRequest, once: IdempotencyClaim | None
) -> AsyncIterator[IdempotencyClaim | None]:
    """Say by what a repetition is recognised: the client's key, else its id of the task.

    Args:
        asked: What is to be made.
        once: Of the client's `Idempotency-Key`, by which it gets the first answer again; by what
            else a repetition is told, the id goes before.

    Raises:
        InvalidParameterError: The id is taken.
    """
    name = asked.metadata.get(_NAME)
    is_keyed = once is not None and once.recognition is Recognition.BY_KEY
    if is_keyed or not name:
        yield once
        return
    # No request is like another here: whatever comes second by this id is refused.
    claim = IdempotencyClaim(
        key=key_of(name),
        fingerprint=uuid4().bytes,
        lifetime=_LIFETIME,
        frees_refused=True,
    )
    try:
        yield claim
    except IdempotencyError:
        raise InvalidParameterError(
            f"External_task_id {name[:100]} already exists; ask for that task, or take another id.",
            param=_NAME,
        ) from None


def key_of(name: str) -> str:
    """The key that is claimed; an index takes no long rows, and short ones stay as they were."""
    written = name.encode()
    if len(written) <= _LONGEST_PLAIN_BYTES:
        return f"kling:{_NAME}:{name}"
    return f"kling:{_NAME}_sha256:{hashlib.sha256(written).hexdigest()}"
