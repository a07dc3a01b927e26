"""What a poll says beside the job's id: the key, the action, and the label that it asks for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidgate.exceptions import UnsupportedParameterError
from vidgate.providers.jimeng.keys import SYNC2ASYNC

__all__ = ["LABEL_FIELDS", "POLL_FIELD", "Question", "label_text", "read_kind", "write_kind"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How to ask about a job.

    Attributes:
        req_key: The same that it was made with.
        action: Of the pair that it was made with.
        req_json: Asks for a label in the video, empty for none.
    """

    req_key: str
    action: str = SYNC2ASYNC.poll
    req_json: str = ""


def write_kind(question: Question) -> str:
    """Write it as `UpstreamRef.kind`: the bare `req_key` where that says all, else JSON."""
    more = {}
    if question.action != SYNC2ASYNC.poll:
        more["action"] = question.action
    if question.req_json:
        more["req_json"] = question.req_json
    if not more and not question.req_key.startswith("{"):
        return question.req_key
    return json.dumps({"req_key": question.req_key, **more}, separators=(",", ":"))


def read_kind(kind: str) -> Question:
    """Read what `write_kind` wrote, or a bare `req_key`."""
    if not kind.startswith("{"):
        return Question(req_key=kind)
    members = json.loads(kind)
    return Question(
        req_key=members["req_key"],
        action=members.get("action", SYNC2ASYNC.poll),
        req_json=members.get("req_json", ""),
    )


# The implicit label of generated content


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
