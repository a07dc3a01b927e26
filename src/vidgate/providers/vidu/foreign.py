"""Documented fields that do nothing where they are sent: other endpoints' and other models'.

Source: https://platform.vidu.com/docs (the pages of the endpoints), read 2026-11-20.
"""

from collections.abc import Mapping
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.fields import to_number
from vidgate.providers.vidu.choosing import Choice
from vidgate.providers.vidu.endpoints import ENDPOINTS

__all__ = ["idle_fields", "refuse_foreign_fields"]

_BILLED = frozenset({"audio", "duration", "off_peak", "resolution", "upscale_resolution"})
"""What the bill follows."""

_IDLE: Mapping[str, tuple[str, ...]] = {
    "movement_amplitude": ("viduq2", "viduq3"),
    "style": ("viduq2", "viduq3"),
    "voice_id": ("viduq3",),
}
"""By the families that a model's name begins with."""

_HARMLESS = frozenset({"aspect_ratio", "seed"})
"""What an endpoint without them does nothing with, as with a size or a seed of the generic fields:
the shape is that of its input."""

_DEFAULTS: tuple[Any, ...] = (None, "", "all", "auto", "general", False, [], {})
"""What asks for nothing; clients send it with everything."""

_WITHOUT_MUSIC = (9, 10)
"""Seconds of a clip of Q2 in which `bgm` does nothing."""


def refuse_foreign_fields(body: Mapping[str, Any], choice: Choice, *, as_written: bool) -> None:
    """Refuse fields of other endpoints, which the vendor would ignore and bill the rest.

    Args:
        body: What is to be sent.
        choice: Where it is to be sent.
        as_written: Whether the client speaks Vidu's own format, and chose the endpoint. Vidu takes
            such fields, so only what would change the bill is refused.

    Raises:
        UnsupportedParameterError: It names the field, and the endpoints that have it.
    """
    idle = _idle(body, choice)
    for name in _foreign(body, choice):
        if name in _BILLED or not (as_written or name in idle):
            takers = ", ".join(_takers(name))
            raise UnsupportedParameterError(
                name, f"Vidu's {choice.endpoint.name} has no {name}; it is a field of {takers}."
            )


def idle_fields(body: Mapping[str, Any], choice: Choice) -> tuple[str, ...]:
    """Name the fields of a body that are sent and will do nothing."""
    if choice.capabilities is None:
        return ()
    return tuple(sorted(_idle(body, choice) | set(_foreign(body, choice))))


def _idle(body: Mapping[str, Any], choice: Choice) -> set[str]:
    """What does nothing with the model, or beside the rest, whatever the endpoint."""
    idle = {name for name, families in _IDLE.items() if choice.model.startswith(families)}
    idle |= _HARMLESS - choice.endpoint.fields
    if choice.model.startswith("viduq2") and to_number(body.get("duration")) in _WITHOUT_MUSIC:
        idle.add("bgm")
    if not body.get("watermark"):
        idle.add("wm_position")
    return {name for name in idle if body.get(name) not in _DEFAULTS}


def _foreign(body: Mapping[str, Any], choice: Choice) -> list[str]:
    if choice.capabilities is None:
        return []
    own = choice.endpoint.fields
    return [
        name
        for name, value in body.items()
        if name not in own and value not in _DEFAULTS and _takers(name)
    ]


def _takers(name: str) -> list[str]:
    return [endpoint.name for endpoint in ENDPOINTS.values() if name in endpoint.fields]
