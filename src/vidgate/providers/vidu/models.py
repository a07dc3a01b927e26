"""What each of Vidu's models takes, as data.

Source: https://platform.vidu.com/docs (text-to-video, image-to-video, start-end-to-video,
reference-to-video, and the pages of viduq4-preview), read 2026-11-20.
"""

from collections.abc import Mapping

from vidgate.providers.base import Action, ActionCapabilities, ModelCapabilities

__all__ = [
    "ANY_RATIO_SUBJECTS",
    "ENDPOINTS",
    "HAS_ASPECT_RATIO",
    "LABELS",
    "MODELS",
    "automatic_duration",
    "default_duration_seconds",
    "default_sound",
    "default_tier",
    "prompt_limit",
    "tiers_at",
]

ENDPOINTS: Mapping[Action, str] = {
    Action.TEXT: "/ent/v2/text2video",
    Action.FIRST_FRAME: "/ent/v2/img2video",
    Action.FIRST_LAST_FRAME: "/ent/v2/start-end2video",
    Action.REFERENCES: "/ent/v2/reference2video",
}

HAS_ASPECT_RATIO = frozenset({Action.TEXT, Action.REFERENCES})
"""Elsewhere the field does not exist: the first frame gives the shape."""

LABELS: Mapping[int, str] = {
    360: "360p",
    540: "540p",
    720: "720p",
    1080: "1080p",
    1440: "2K",
    2160: "4K",
    4320: "8K",
}
"""Every resolution of any model, exactly as it must be written, by the length of the short side."""

_THREE_RATIOS = ("16:9", "9:16", "1:1")
_FIVE_RATIOS = (*_THREE_RATIOS, "4:3", "3:4")
"""The last two only since Q2."""

_REFERENCES = (1, 7)
_FEW_REFERENCES = (1, 3)
_MANY_REFERENCES = (1, 15)

_FULL = ("540p", "720p", "1080p")
_FAST = ("720p", "1080p")
_Q4 = ("540p", "720p", "1080p", "2K", "4K")
_OLD = ("360p", "720p", "1080p")


def _seconds(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


def _text(
    durations: tuple[int, ...], tiers: tuple[str, ...], ratios: tuple[str, ...] = _FIVE_RATIOS
) -> ActionCapabilities:
    return ActionCapabilities(
        endpoint=ENDPOINTS[Action.TEXT], durations=durations, tiers=tiers, ratios=ratios
    )


def _first(durations: tuple[int, ...], tiers: tuple[str, ...]) -> ActionCapabilities:
    return ActionCapabilities(
        endpoint=ENDPOINTS[Action.FIRST_FRAME], durations=durations, tiers=tiers, images=(1, 1)
    )


def _first_last(durations: tuple[int, ...], tiers: tuple[str, ...]) -> ActionCapabilities:
    return ActionCapabilities(
        endpoint=ENDPOINTS[Action.FIRST_LAST_FRAME],
        durations=durations,
        tiers=tiers,
        images=(2, 2),
    )


def _references(
    durations: tuple[int, ...],
    tiers: tuple[str, ...],
    ratios: tuple[str, ...] = _FIVE_RATIOS,
    images: tuple[int, int] = _REFERENCES,
) -> ActionCapabilities:
    return ActionCapabilities(
        endpoint=ENDPOINTS[Action.REFERENCES],
        durations=durations,
        tiers=tiers,
        ratios=ratios,
        images=images,
    )


_ACTIONS: Mapping[str, Mapping[Action, ActionCapabilities]] = {
    "viduq4-preview": {
        Action.FIRST_FRAME: _first(_seconds(3, 16), _Q4),
        Action.REFERENCES: _references(_seconds(3, 16), _Q4, images=_MANY_REFERENCES),
    },
    "viduq3-pro": {
        Action.TEXT: _text(_seconds(1, 16), _FULL),
        Action.FIRST_FRAME: _first(_seconds(1, 16), _FULL),
        Action.FIRST_LAST_FRAME: _first_last(_seconds(1, 16), _FULL),
    },
    "viduq3-turbo": {
        Action.TEXT: _text(_seconds(1, 16), _FULL),
        Action.FIRST_FRAME: _first(_seconds(1, 16), _FULL),
        Action.FIRST_LAST_FRAME: _first_last(_seconds(1, 16), _FULL),
        Action.REFERENCES: _references(_seconds(3, 16), _FULL),
    },
    "viduq3-pro-fast": {Action.FIRST_FRAME: _first(_seconds(1, 16), _FAST)},
    "viduq3": {Action.REFERENCES: _references(_seconds(3, 16), _FULL)},
    "viduq3-mix": {Action.REFERENCES: _references(_seconds(1, 16), _FAST)},
    "viduq2": {
        Action.TEXT: _text(_seconds(1, 10), _FULL),
        Action.REFERENCES: _references(_seconds(1, 10), _FULL),
    },
    "viduq2-pro": {
        Action.FIRST_FRAME: _first(_seconds(1, 10), _FULL),
        Action.FIRST_LAST_FRAME: _first_last(_seconds(1, 8), _FULL),
        Action.REFERENCES: _references(_seconds(0, 10), _FULL),
    },
    "viduq2-turbo": {
        Action.FIRST_FRAME: _first(_seconds(1, 10), _FULL),
        Action.FIRST_LAST_FRAME: _first_last(_seconds(1, 8), _FULL),
    },
    "viduq2-pro-fast": {
        Action.FIRST_FRAME: _first(_seconds(1, 10), _FAST),
        Action.FIRST_LAST_FRAME: _first_last(_seconds(1, 8), _FAST),
    },
    "viduq1": {
        Action.TEXT: _text((5,), ("1080p",), _THREE_RATIOS),
        Action.FIRST_FRAME: _first((5,), ("1080p",)),
        Action.FIRST_LAST_FRAME: _first_last((5,), ("1080p",)),
        Action.REFERENCES: _references((5,), ("1080p",), _THREE_RATIOS),
    },
    "viduq1-classic": {
        Action.FIRST_FRAME: _first((5,), ("1080p",)),
        Action.FIRST_LAST_FRAME: _first_last((5,), ("1080p",)),
    },
    "vidu2.0": {
        Action.FIRST_FRAME: _first((4, 8), _OLD),
        Action.FIRST_LAST_FRAME: _first_last((4, 8), _OLD),
        Action.REFERENCES: _references((4,), ("360p", "720p"), _THREE_RATIOS, _FEW_REFERENCES),
    },
    "vidu1.5": {
        Action.TEXT: _text((4, 8), _OLD, _THREE_RATIOS),
        Action.FIRST_FRAME: _first((4, 8), _OLD),
        Action.FIRST_LAST_FRAME: _first_last((4, 8), _OLD),
        Action.REFERENCES: _references((4, 8), _OLD, _THREE_RATIOS, _FEW_REFERENCES),
    },
}

MODELS: Mapping[str, ModelCapabilities] = {
    name: ModelCapabilities(name=name, actions=actions) for name, actions in _ACTIONS.items()
}

ANY_RATIO_SUBJECTS = frozenset({"viduq2", "viduq2-pro", "viduq3", "viduq3-turbo"})
"""Models that take any ratio when the pictures come as named subjects."""

_TIERS_AT: Mapping[str, Mapping[float, tuple[str, ...]]] = {
    "vidu2.0": {8: ("720p",)},
    "vidu1.5": {8: ("720p",)},
}
"""Where a duration narrows the resolutions."""


def tiers_at(model: str, action: ActionCapabilities, duration: float | None) -> tuple[str, ...]:
    """The resolutions a known model makes at a duration in seconds, `None` for its default."""
    narrowed = _TIERS_AT.get(model, {}).get(duration) if duration is not None else None
    if narrowed is None:
        return action.tiers
    return tuple(tier for tier in action.tiers if tier in narrowed)


def default_tier(model: str, duration: float | None) -> str | None:
    """What the vendor makes when no resolution is asked for; `None` for an unknown model."""
    if model not in MODELS:
        return None
    narrowed = _TIERS_AT.get(model, {}).get(duration) if duration is not None else None
    if narrowed is not None:
        return narrowed[0]
    if model in {"vidu2.0", "vidu1.5"}:
        return "360p"
    return "1080p" if model in {"viduq1", "viduq1-classic"} else "720p"


def default_duration_seconds(model: str) -> int | None:
    """What the vendor makes when no duration is asked for; `None` for an unknown model.

    The documentation prints the 5 beside some models of each family and no other number beside
    the rest.
    """
    if model not in MODELS:
        return None
    return 4 if model in {"vidu2.0", "vidu1.5"} else 5


def automatic_duration(model: str, action: Action) -> bool:
    """Whether a duration of 0 lets the service choose, rather than mean "not given"."""
    return model == "viduq2-pro" and action is Action.REFERENCES


def default_sound(model: str) -> bool | None:
    """Whether sound is made when `audio` is not sent; `None` for an unknown model."""
    if model not in MODELS:
        return None
    return model.startswith(("viduq3", "viduq4"))


def prompt_limit(model: str) -> int | None:
    """The longest prompt in characters; `None` for an unknown model."""
    if model not in MODELS:
        return None
    return 20_000 if model.startswith("viduq4") else 5_000
