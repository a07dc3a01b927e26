"""What a stand-in is, and what the sandbox needs to know of one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from vidgate.sandbox.video import Clip
from vidgate.sandbox.wire import Call, Operation, Reply
from vidgate.sandbox.world import World

__all__ = ["NoOptions", "StandIn", "is_number", "is_switch"]


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of a stand-in that has none."""


class StandIn(ABC):
    """Plays one provider. All of it is computed at once, without waiting.

    Attributes:
        name: The provider's; also the first segment of its base URL, and of its options' names.
        key: One accepted credential, as an operator would type it.
        models: Those that a channel has to list, where the provider has none by name.
        job_seconds: Seconds a job takes at speed 1, before jitter; about what the real ones take.
        options: The dataclass of what can be chosen about it alone; its defaults behave like the
            real service.
        changeable: Those of them that can be changed while it runs, and which values are good.
    """

    name: ClassVar[str]
    key: ClassVar[str]
    models: ClassVar[tuple[str, ...]] = ()
    job_seconds: ClassVar[float] = 40.0
    options: ClassVar[type[Any]] = NoOptions
    changeable: ClassVar[Mapping[str, Callable[[Any], bool]]] = {}

    def __init__(self, world: World) -> None:
        self._world = world

    @abstractmethod
    def classify(self, call: Call) -> Operation:
        """Say what the call is, before anything is checked."""

    @abstractmethod
    def handle(self, call: Call) -> Reply:
        """Do what the call asks and answer as the real service does."""

    @abstractmethod
    def refusal(self, status: int) -> Reply:
        """The service's own answer for 401, 429, 500, 503 or 504."""

    @abstractmethod
    def nothing_found(self, call: Call) -> Reply:
        """The service's own answer for a job that it does not know."""

    @abstractmethod
    def prompt(self, call: Call) -> str:
        """The prompt of a submit; empty if it has none."""

    def claims_root(self, call: Call) -> bool:  # noqa: ARG002 - for those who have something
        """Whether a call to the bare host, without the name in its path, is for this provider."""
        return False

    def wanted_clip(self, call: Call) -> Clip | None:  # noqa: ARG002 - for those who have something
        """The video whose bytes the call asks for, to be encoded before it is answered."""
        return None


def is_number(value: Any) -> bool:
    """Whether an option that is a number can have this value."""
    return isinstance(value, int | float)


def is_switch(value: Any) -> bool:
    """Whether an option that is on or off can have this value."""
    return isinstance(value, bool)
