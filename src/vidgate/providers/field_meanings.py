"""What the gateway itself makes of vendor fields, whichever provider they are for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from vidgate.providers.base import Provider

__all__ = ["CALLBACK_URL", "QUEUE_WAIT", "FieldMeanings"]

CALLBACK_URL: Final = "callback_url"
"""The field of `metadata` that names the client's webhook, at every provider."""

QUEUE_WAIT: Final = "queue_wait"
"""The field of `metadata` that says how many seconds the task may wait for a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMeanings:
    """The capabilities of all providers together: a request is read before it is known who gets it.

    Attributes:
        prompts: Fields that stand for words or pictures; see `Capabilities.prompt_fields`.
        echoes: Fields that the client gets back as it sent them, and their longest text; see
            `Capabilities.echo_fields`.
        nested: By the name of an object: fields of the client's own that may be in it; see
            `Capabilities.own_fields_in`.
    """

    prompts: frozenset[str]
    echoes: Mapping[str, int | None]
    nested: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, providers: Iterable[Provider]) -> Self:
        """Collect what these providers say of their fields."""
        offers = [provider.capabilities for provider in providers]
        nested: dict[str, tuple[str, ...]] = {}
        for offer in offers:
            own = (CALLBACK_URL, *sorted(offer.echo_fields))
            for name in offer.own_fields_in:
                nested[name] = tuple(dict.fromkeys((*nested.get(name, ()), *own)))
        return cls(
            prompts=frozenset[str]().union(*(offer.prompt_fields for offer in offers)),
            echoes={name: most for offer in offers for name, most in offer.echo_fields.items()},
            nested=nested,
        )

    @property
    def owns(self) -> frozenset[str]:
        """Fields whose text is the client's own business."""
        return frozenset({CALLBACK_URL, *self.echoes})
