"""Channels: configured accounts at a provider."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from uuid import UUID

from pydantic import SecretStr

__all__ = ["Channel", "ChannelAccess", "OnUnknown"]


class OnUnknown(StrEnum):
    """What happens to a submit of which nobody can tell what became of it."""

    FAIL = "fail"
    RESUBMIT = "resubmit"


@dataclass(frozen=True, slots=True)
class ChannelAccess:
    """How one attempt reaches its provider; pinned to the attempt when it is made.

    Attributes:
        base_url: Without the API prefix and without a slash at its end.
        credential: As the operator gave it, in the provider's form.
    """

    base_url: str
    credential: SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One configured account at a provider.

    Attributes:
        credential_id: Which credential new attempts are pinned to.
        models: Patterns such as `kling-*`; empty means every model of the provider.
        model_map: From the model a client asks for to the one that is run here.
        priority: Higher is tried first.
        weight: The share among channels of one priority; 0 is only used when nothing else is left.
        max_concurrency: Jobs at once, `None` for no limit of ours.
        callback_secret: What the provider signs callbacks with, encrypted; `None` if there is none.
        proxy: The URL of the proxy that leads to the provider, encrypted; `None` to go directly.
        removed: Kept for the attempts that were made with it; never chosen again.
    """

    id: UUID
    name: str
    provider: str
    base_url: str
    credential_id: UUID
    models: tuple[str, ...] = ()
    model_map: dict[str, str] = field(default_factory=dict)
    priority: int = 0
    weight: int = 1
    max_concurrency: int | None = None
    on_unknown: OnUnknown = OnUnknown.FAIL
    enabled: bool = True
    callback_secret: bytes | None = field(default=None, repr=False)
    proxy: bytes | None = field(default=None, repr=False)
    removed: bool = False
    created_at: datetime | None = None

    def lists(self, model: str) -> bool:
        """Whether the operator names this model, by pattern or as the origin of a mapping."""
        return model in self.model_map or any(fnmatchcase(model, name) for name in self.models)
