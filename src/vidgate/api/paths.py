"""Paths as clients write them, and the routes that they mean."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from starlette.routing import BaseRoute, Route

__all__ = ["Paths", "Signpost"]

_SLASHES = re.compile(r"/{2,}")
_LIKE = 0.7
"""From this likeness of two paths on, 1 being the same, one may be meant by the other."""

_MOST_PARTS = 10
_LONGEST_PART = 40
"""Of a path for which a route is looked for; ours have half of either."""

_API = "/v1"
"""What a base URL lacks where nothing else is wrong."""


class Paths:
    """Writes paths as the routes have them.

    Args:
        aliases: By a prefix: the one that is meant by it.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._aliases = dict(aliases)
        self._starts = tuple(aliases)

    def tidy(self, path: str) -> str:
        """A path without doubled slashes and without one at its end."""
        if "//" in path:
            path = _SLASHES.sub("/", path)
        return path[:-1] if path.endswith("/") and path != "/" else path

    def resolve(self, path: str) -> str:
        """The path that a tidy one stands for."""
        if path.startswith(self._starts):
            for alias, meant in self._aliases.items():
                if path == alias or path.startswith(f"{alias}/"):
                    return meant + path[len(alias) :]
        return path


class Signpost:
    """Names the route that somebody may have meant who met none.

    Args:
        routes: All there are.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = [route for route in routes if isinstance(route, Route) and route.path != "/"]

    def describe(self, method: str, path: str) -> str:
        """Say in one sentence what to call in place of a path that leads nowhere."""
        parts = path.split("/")[1:]
        if len(parts) <= _MOST_PARTS and all(len(part) <= _LONGEST_PART for part in parts):
            for cut, rest in _shortened(parts):
                if found := self._route(method, rest):
                    advice = (
                        f"take {cut} off the base URL" if cut else f"add {_API} to the base URL"
                    )
                    return f"There is no such route; the nearest is {found}: {advice}."
            if found := self._most_like(method, parts):
                return f"There is no such route; the nearest is {found}."
        return "There is no such route; GET /openapi.json lists them all."

    def _of(self, method: str) -> Iterator[Route]:
        return (route for route in self._routes if method in (route.methods or ()))

    def _route(self, method: str, path: str) -> str | None:
        for route in self._of(method):
            if route.path_regex.match(path):
                return f"{method} {route.path}"
        return None

    def _most_like(self, method: str, parts: Sequence[str]) -> str | None:
        best, found = _LIKE, None
        for route in self._of(method):
            likeness = _likeness(parts, route.path.split("/")[1:])
            if likeness > best:
                best, found = likeness, f"{method} {route.path}"
        return found


def _shortened(parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """A path without its first parts, one more each time, and what those were."""
    for count in range(1, len(parts)):
        yield "/" + "/".join(parts[:count]), "/" + "/".join(parts[count:])
    yield "", f"{_API}/" + "/".join(parts)


def _likeness(parts: Sequence[str], template: Sequence[str]) -> float:
    """How much a path is like a route's, from 0 to 1; one of another length is not."""
    if len(parts) != len(template):
        return 0
    return sum(map(_likeness_of_parts, parts, template)) / len(parts)


@lru_cache(maxsize=4096)
def _likeness_of_parts(part: str, name: str) -> float:
    if name.startswith("{"):
        return _LIKE  # anything may stand there, and nothing says that it does
    return SequenceMatcher(None, part, name).ratio()
