"""Typed reading of fields; every wrong type is an error that names its field."""

import re
from collections.abc import Mapping
from typing import Any

from vidgate.api.forms import Form
from vidgate.api.plain_values import read_object
from vidgate.exceptions import InvalidParameterError

__all__ = ["FieldReader", "given"]

_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,30})(?:\.0{0,30})?\s*")
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,30}(?:\.[0-9]{0,30})?\s*")

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are more than absent: `null` and an empty text say nothing.

    Tools that fill in a form send every optional field, and an empty text for each empty line.
    """
    return {name: value for name, value in fields.items() if value is not None and value != ""}


class FieldReader:
    """Takes fields out of a form, one after the other; `rest` is what nobody asked for.

    A field means the same in JSON and in a form: a number may be text, an object JSON text. `null`
    and an empty text are the same as absent.

    Attributes:
        is_text: Whether the fields came as text.
        work_bytes: As of the form.
    """

    def __init__(self, form: Form) -> None:
        self.is_text = form.is_text
        self.work_bytes = form.work_bytes
        self.rest = given(form.fields)

    def raw(self, name: str) -> Any:
        """Take a field as it is, `None` if it is absent."""
        return self.rest.pop(name, None)

    def text(self, name: str, *, longest: int) -> str | None:
        """Take a string of at most so many characters.

        Raises:
            InvalidParameterError: It is something else, or longer.
        """
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise InvalidParameterError(f"{name} must be a string.", param=name)
        if len(value) > longest:
            raise InvalidParameterError(
                f"{name} may have at most {longest} characters.", param=name
            )
        if "\0" in value:  # which a query may have, and the database does not take
            raise InvalidParameterError(f"{name} has a NUL character.", param=name)
        return value

    def integer(self, name: str, *, least: int, most: int) -> int | None:
        """Take an integer within bounds, also one written as text; `24.0` is one too.

        Raises:
            InvalidParameterError: It is something else, or out of bounds.
        """
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, str) and (digits := _INTEGER.fullmatch(value)):
            value = int(digits[1])
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidParameterError(f"{name} must be an integer.", param=name)
        if not least <= value <= most:
            raise InvalidParameterError(f"{name} must be from {least} to {most}.", param=name)
        return value

    def flag(self, name: str) -> bool:
        """Take `true` or `false`, also as text or as 1 or 0; `False` if it is absent.

        Raises:
            InvalidParameterError: It is something else.
        """
        value = self.raw(name)
        if isinstance(value, str):
            value = _FLAGS.get(value.strip().lower(), value)
        if value is None or (isinstance(value, int) and value in {0, 1}):
            return bool(value)
        raise InvalidParameterError(f"{name} must be true or false.", param=name)

    def number(self, name: str, *, most: int) -> int | float | None:
        """Take a number from 0, also one written as text; whole numbers become an `int`.

        Raises:
            InvalidParameterError: It is something else, or out of bounds.
        """
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidParameterError(f"{name} must be a number, such as 5.", param=name)
        if not 0 <= value <= most:
            raise InvalidParameterError(f"{name} must be from 0 to {most}.", param=name)
        return int(value) if value == int(value) else value

    def members(self, name: str) -> dict[str, Any]:
        """Take an object, also one as JSON text; empty if it is absent.

        Raises:
            InvalidParameterError: It is something else.
        """
        value = self.raw(name)
        if isinstance(value, str):
            value = read_object(name, value) if value.strip() else None
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise InvalidParameterError(f"{name} must be an object.", param=name)
        return value
