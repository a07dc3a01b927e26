"""Vendor fields that Vidu takes and that do nothing on the model that runs.

Source: https://platform.vidu.com/docs (text-to-video, image-to-video, start-end-to-video,
reference-to-video), read 2026-11-20.
"""

from collections.abc import Mapping
from typing import Any

from vidgate.providers.vidu.choosing import Choice
from vidgate.providers.vidu.facts import to_number

__all__ = ["idle_fields"]

_IDLE: Mapping[str, tuple[str, ...]] = {
    "movement_amplitude": ("viduq2", "viduq3"),
    "style": ("viduq2", "viduq3"),
    "voice_id": ("viduq3",),
}
"""By the families that a model's name begins with."""

_DEFAULTS = (None, "", "auto", "general", False)
"""What asks for nothing."""

_WITHOUT_MUSIC = (9, 10)
"""Seconds of a clip of Q2 in which `bgm` does nothing."""


def idle_fields(body: Mapping[str, Any], choice: Choice) -> tuple[str, ...]:
    """Name the fields of a body that are sent and will do nothing."""
    if choice.capabilities is None:
        return ()
    idle = {name for name, families in _IDLE.items() if choice.model.startswith(families)}
    if choice.model.startswith("viduq2") and to_number(body.get("duration")) in _WITHOUT_MUSIC:
        idle.add("bgm")
    if not body.get("watermark"):
        idle.add("wm_position")
    return tuple(sorted(name for name in idle if body.get(name) not in _DEFAULTS))
