"""What a poll needs beside the job's id, kept as `UpstreamRef.kind`."""

import json
from dataclasses import dataclass

from vidgate.providers.jimeng.keys import SYNC2ASYNC

__all__ = ["Question", "read_kind", "write_kind"]


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
    """Write it as text: the bare `req_key` where nothing else is to be said, else JSON."""
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
