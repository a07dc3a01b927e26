"""The implicit label of generated content, which is asked for with each poll."""

import json
from collections.abc import Mapping
from typing import Any

from vidgate.exceptions import UnsupportedParameterError

__all__ = ["LABEL_FIELDS", "POLL_FIELD", "label_text"]

POLL_FIELD = "req_json"
"""The member of a poll that carries the label: JSON, written as text."""

_META = "aigc_meta"

LABEL_FIELDS = frozenset({POLL_FIELD, _META})
"""Members of `metadata` that ask for it."""

_REQUIRED = ("producer_id", "content_propagator")
_MEMBERS = (*_REQUIRED, "content_producer", "propagate_id")
_LONGEST_MEMBER = 256
"""In characters. Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20"""

_LONGEST_TEXT = 4096
"""In characters; it is kept with the job and sent with every poll."""


def label_text(metadata: Mapping[str, Any]) -> str:
    """Write `req_json` of the polls from `metadata`, empty where it asks for none.

    The provider would judge it only when the job exists, and refuse every poll for it; so it is
    judged here.

    Raises:
        UnsupportedParameterError: The provider would not take it.
    """
    asked, meta = metadata.get(POLL_FIELD), metadata.get(_META)
    if asked is None and meta is None:
        return ""
    members = {} if asked is None else _object(asked, POLL_FIELD)
    if meta is not None:
        members = {**members, _META: _object(meta, _META)}
    if members.get(_META) is not None:
        _check(members[_META])
    if isinstance(asked, str) and meta is None:
        text = asked  # as it was written
    else:
        text = json.dumps(members, separators=(",", ":"))
    if len(text) > _LONGEST_TEXT:
        raise _refusal(POLL_FIELD, f"It may have at most {_LONGEST_TEXT} characters.")
    return text


def _object(value: Any, name: str) -> dict[str, Any]:
    """Read an object, which may be written as text, as the provider's own form is."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping):
        raise _refusal(name, "It must be a JSON object, or one written as text.")
    return dict(value)


def _refuse_constant(word: str) -> None:
    raise ValueError(word)


def _check(meta: Any) -> None:
    if not isinstance(meta, Mapping):
        raise _refusal(_META, "It must be a JSON object.")
    for name in _REQUIRED:
        if not meta.get(name):
            raise _refusal(_META, f"It needs {name}.")
    for name in _MEMBERS:
        value = meta.get(name)
        if value is not None and not (isinstance(value, str) and len(value) <= _LONGEST_MEMBER):
            raise _refusal(_META, f"{name} is text of at most {_LONGEST_MEMBER} characters.")


def _refusal(name: str, sentence: str) -> UnsupportedParameterError:
    return UnsupportedParameterError(f"metadata.{name}", sentence)
