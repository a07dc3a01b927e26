"""A body while it is being written: generic fields once, vendor fields laid over them.

An adapter says into which of its fields a generic one goes, and in which form; the draft notes
what was used. What was given and not used is ignored, and the client is told so.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.models.requests import VideoRequest
from vidgate.providers.sizes import SizeFit, fit_size, told_lower

__all__ = ["Draft", "merge", "refuse_zero", "to_whole"]

_GENERIC: Mapping[str, Callable[[VideoRequest], bool]] = {
    "duration": lambda request: request.duration_seconds is not None,
    "fps": lambda request: request.fps is not None,
    "image": lambda request: bool(request.images),
    "prompt": lambda request: bool(request.prompt),
    "seed": lambda request: request.seed is not None,
    "size": lambda request: request.width is not None or request.aspect_ratio is not None,
    "user": lambda request: request.user is not None,
}
"""The generic fields, and whether a request has one."""


class Draft:
    """A body while it is being written.

    A vendor field that the client wrote itself wins over the generic one. The generic one then
    counts as used, since its meaning reaches the vendor.

    Args:
        request: What the client asks for.
        over: Its vendor fields, but for those that are ours.
        told: What messages call the model.

    Attributes:
        body: What is written so far.
        names: What the client calls the fields that were written, by the vendor's names.
        adjusted: What was taken to the nearest possible value, such as `size=1:1@720p`.
    """

    def __init__(self, request: VideoRequest, over: Mapping[str, Any], told: str) -> None:
        self.request = request
        self.over = over
        self.told = told
        self.body: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        self.adjusted: list[str] = []
        self._used: set[str] = set()
        self._idle: list[str] = []

    @property
    def ignored(self) -> tuple[str, ...]:
        """The generic fields that were given and not used, then the vendor fields that are idle."""
        unused = (
            name
            for name, is_given in _GENERIC.items()
            if name not in self._used and is_given(self.request)
        )
        return tuple(dict.fromkeys((*unused, *self._idle)))

    def use(self, *names: str) -> None:
        """Note that generic fields were of use."""
        self._used.update(names)

    def idle(self, *names: str) -> None:
        """Note fields that are sent and will do nothing."""
        self._idle += names

    def adjust(self, *changes: str) -> None:
        """Note what was taken to the nearest possible value; empty texts note nothing."""
        self.adjusted += filter(None, changes)

    def put(self, name: str, into: str, value: Any) -> None:
        """Write a generic field into one of the vendor's, unless the client wrote that itself."""
        self.use(name)
        if into not in self.over:
            self.body[into] = value
            self.names[into] = self.name_of(name)

    def name_of(self, name: str) -> str:
        """What the client calls a generic field."""
        return self.request.names.get(name, name)

    def prompt(self, into: str = "prompt") -> None:
        """Write the prompt, where there is one."""
        self.use("prompt")
        if self.request.prompt:
            self.put("prompt", into, self.request.prompt)

    def duration(
        self,
        into: str = "duration",
        *,
        allowed: Sequence[float] = (),
        write: Callable[[int | float], Any] | None = None,
    ) -> None:
        """Write the duration, where one was asked for.

        Args:
            into: The vendor's field.
            allowed: Seconds, where the vendor's value is not seconds, so that a table of its field
                could not name them; empty where that, or the provider, judges.
            write: Makes the vendor's value of seconds, `None` where it is seconds.

        Raises:
            UnsupportedParameterError: It is not allowed.
        """
        seconds = self.request.duration_seconds
        if seconds is None:
            return
        seconds = to_whole(seconds)
        if allowed and seconds not in allowed and into not in self.over:
            says = f"The model {self.told} makes no video of {seconds} seconds here."
            raise UnsupportedParameterError("duration", says, allowed=allowed)
        self.put("duration", into, seconds if write is None else write(seconds))

    def seed(self, into: str = "seed", *, bounds: tuple[int, int] | None = None) -> None:
        """Write the seed, where one was given.

        Args:
            into: The vendor's field.
            bounds: The least and the most; `None` where the provider judges.

        Raises:
            UnsupportedParameterError: It is out of bounds.
        """
        seed = self.request.seed
        if seed is None:
            return
        if bounds is not None and into not in self.over and not bounds[0] <= seed <= bounds[1]:
            raise UnsupportedParameterError(
                "seed", f"The model {self.told} takes a seed from {bounds[0]} to {bounds[1]}."
            )
        self.put("seed", into, seed)

    def size(
        self,
        fit: SizeFit,
        *,
        tier: str = "resolution",
        ratio: str = "aspect_ratio",
        write: Callable[[str], Any] = lambda name: name,
    ) -> None:
        """Write the tier and the ratio that a size became.

        Args:
            fit: What it became.
            tier: The vendor's field for the tier, empty where it has none.
            ratio: The vendor's field for the ratio.
            write: Makes the vendor's value of a tier such as `720p`.
        """
        if not fit.ignored:
            self.use("size")
        self.adjust(fit.adjusted)
        if fit.tier is not None and tier and tier not in self.over:
            self.body[tier] = write(fit.tier)
            self.names[tier] = "size"
        if fit.ratio is not None and ratio not in self.over:
            self.body[ratio] = fit.ratio
            self.names[ratio] = "size"

    def fit_size(
        self,
        tiers: Sequence[str],
        ratios: Sequence[str],
        *,
        tier: str = "resolution",
        ratio: str = "aspect_ratio",
    ) -> None:
        """Take the size to a tier and a ratio, but for what the vendor fields say themselves.

        Args:
            tiers: Those of the model; empty means that it cannot be chosen.
            ratios: Those of the model; empty means that a picture gives the shape.
            tier: The vendor's field for the tier.
            ratio: The vendor's field for the ratio.

        Raises:
            UnsupportedParameterError: The size is too far from anything the model makes.
        """
        tiers, ratios = (() if tier in self.over else tiers), (() if ratio in self.over else ratios)
        fit = fit_size(self.request, tiers=tiers, ratios=ratios, has_frame=False)
        # A vendor field has the same meaning; and of pixels the tier was of use, or gave way to it.
        is_met = self.request.width is not None or ratio in self.over
        self.size(replace(fit, ignored=fit.ignored and not is_met), tier=tier, ratio=ratio)
        self.adjust(told_lower(self.request, self.over.get(tier)))

    def user(self, into: str, *, most: int) -> None:
        """Write the client's own end user, hashed where its name has more characters than fit."""
        user = self.request.user
        if user:
            is_long = len(user) > most
            hashed = (
                hashlib.sha256(user.encode("utf-8", "replace")).hexdigest() if is_long else user
            )
            self.put("user", into, hashed[:most])

    def finish(self) -> dict[str, Any]:
        """The body with the vendor fields laid over it."""
        return merge(self.body, self.over)


def merge(body: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `over` on `body`: objects key by key, arrays and scalars replace, `None` removes."""
    merged = dict(body)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def to_whole(number: float) -> int | float:
    """5 rather than 5.0, as vendors and clients write whole numbers."""
    return int(number) if float(number).is_integer() else number


def refuse_zero(request: VideoRequest, allowed: Sequence[int] = ()) -> None:
    """Refuse a duration of 0, which means an automatic one, where a model has none.

    Args:
        request: As it came.
        allowed: Whole seconds that the model does take, where they are known.

    Raises:
        UnsupportedParameterError: The duration is 0.
    """
    if request.duration_seconds == 0:
        raise UnsupportedParameterError(
            "duration",
            f"The model {request.model} makes no video of 0 seconds: only one that chooses the "
            "length itself takes 0.",
            allowed=allowed,
        )
