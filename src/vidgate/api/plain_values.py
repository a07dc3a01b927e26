"""Values that a form has as text, as JSON would have had them."""

import re
from typing import Any

from vidgate.api.strict_json import parse_object
from vidgate.exceptions import InvalidParameterError, MalformedBodyError

__all__ = ["read_object", "read_plain"]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?P<fraction>\.[0-9]{1,15})?")
"""No more digits than a float keeps."""

_WORDS = {"true": True, "false": False}
_LONGEST_WORD = max(map(len, _WORDS))
_ALWAYS_TEXT = ("id", "prompt", "payload")
"""How names of fields end that are text whatever is in them."""


def read_plain(name: str, text: str) -> Any:
    """Read a vendor field: a boolean, a number, an object or an array where it looks like one.

    SDKs send their extra fields in a form, where a number and its digits are the same. Where that
    matters, `metadata` as JSON text says what is meant.

    Args:
        name: Of the field, or of the member.
        text: As the form has it.
    """
    if name.endswith(_ALWAYS_TEXT):
        return text
    if len(text) <= _LONGEST_WORD and text in _WORDS:
        return _WORDS[text]
    if number := _NUMBER.fullmatch(text):
        return float(text) if number["fraction"] else int(text)
    if text.lstrip()[:1] in {"{", "["}:
        try:
            value = parse_object(f'{{"value":{text}}}'.encode())
        except MalformedBodyError:  # words in brackets
            return text
        return value["value"] if len(value) == 1 else text
    return text


def read_object(name: str, text: str | bytes | bytearray) -> dict[str, Any]:
    """Read a field that has an object as JSON text.

    Raises:
        InvalidParameterError: It is not one; the error names the field.
    """
    try:
        return parse_object(text.encode() if isinstance(text, str) else text)
    except MalformedBodyError as error:
        message = error.message.replace("The body", name, 1)
        raise InvalidParameterError(message, param=name) from None
