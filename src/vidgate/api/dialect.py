"""What a dialect brings into the application, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter
from starlette.types import Scope

from vidgate.api.authentication import Scheme
from vidgate.api.dependencies import NativeAnswers
from vidgate.api.errors import ErrorShape
from vidgate.api.ready_route import ReadyRoute
from vidgate.config import Settings
from vidgate.models.tasks import TaskSnapshot

__all__ = ["Dialect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One wire format. A path prefix has no slash at its end; `/` stands for the root alone.

    Attributes:
        name: Under which tasks remember in which format they were made.
        prefixes: Where everything needs a token, reads and unknown routes included.
        routers: Its routes, in the order in which they are tried.
        polls: Make the routes that clients ask again and again, or listen to; tried before all
            others.
        errors: How errors are written, by path prefix; elsewhere they have the flat body.
        schemes: How its callers may sign in place of sending a token, by path prefix.
        write_event: Writes a task as a GET answers it, for the data of an event; `None` where
            events have the new-api body.
        write_callback: Writes a finished task as the vendor calls back about it, `None` where the
            dialect is no vendor's.
        claims_root: Whether a request to the root is one of its own, `None` where none is.
        aliases: Other prefixes, and the one that each stands for: a server in front that knows
            one base URL for every vendor calls a vendor's own paths at the root.
    """

    name: str
    prefixes: tuple[str, ...]
    routers: tuple[APIRouter, ...]
    polls: tuple[Callable[[], ReadyRoute], ...] = ()
    errors: Mapping[str, ErrorShape] = field(default_factory=dict)
    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    write_event: Callable[[TaskSnapshot, Mapping[str, NativeAnswers], Settings], Any] | None = None
    write_callback: Callable[[TaskSnapshot, Mapping[str, NativeAnswers]], Any] | None = None
    claims_root: Callable[[Scope], bool] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
