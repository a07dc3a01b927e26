"""Names of form fields with members in brackets: `metadata[mode]`, `image_urls[]`."""

import re
from typing import Any

from vidgate.exceptions import InvalidParameterError

__all__ = ["FieldPath", "place", "split_name"]

_NAME = re.compile(r"(?P<field>[^\[\]]+)(?P<members>(?:\[[^\[\]]*\])*)")
_MEMBER = re.compile(r"\[([^\[\]]*)\]")
_MAX_LEVELS = 16
"""No vendor nests half as deep."""

FieldPath = tuple[str, ...]
"""A field, its member, that one's member, and so on; at the end empty for one more of a list."""


def split_name(name: str) -> FieldPath:
    """Split a name; one whose brackets make no sense stays whole.

    Raises:
        InvalidParameterError: It cannot be read without guessing.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return (name,)
    # Some clients number the members of a list.
    members = ["" if one.isdecimal() else one for one in _MEMBER.findall(match["members"])]
    field = match["field"]
    if "" in members[:-1]:
        raise InvalidParameterError(
            f"{field} holds a list of objects, whose members a form mixes up; send them as JSON "
            "text.",
            param=field,
        )
    if len(members) > _MAX_LEVELS:
        raise InvalidParameterError(f"{field} has too many levels.", param=field)
    return (field, *members)


def place(fields: dict[str, Any], path: FieldPath, value: object) -> None:
    """Put a value where its name says.

    Raises:
        InvalidParameterError: Something else is there already.
    """
    *objects, last = path[:-1] if path[-1] == "" else path
    holder: Any = fields
    for name in objects:
        holder = holder.setdefault(name, {})
        if not isinstance(holder, dict):
            raise _is_twice(path)
    if path[-1] == "":
        several = holder.setdefault(last, [])
        if not isinstance(several, list):
            raise _is_twice(path)
        several.append(value)
    elif last in holder:
        raise _is_twice(path)
    else:
        holder[last] = value


def _is_twice(path: FieldPath) -> InvalidParameterError:
    name = ".".join(part for part in path if part)
    return InvalidParameterError(f"{name} is there twice.", param=name)
