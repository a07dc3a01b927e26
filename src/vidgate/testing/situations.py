"""What a provider says in each situation, as data: `situations.json` and the replies beside it.

A reply is a file `<name>.json`: its `source`, its `status`, perhaps its `headers`, and its `body`
as JSON or its `text`. `situations.json` says which reply is which, and how to tell the requests
that are answered with them from one another. The fields of `Situations` are its members.

Replies stay as they were documented or recorded. Where one plays a job of a test, the test's own
values take the place of those that stand in it: the id of the job (`job.id`), the address of its
video (`video`), and `CORRELATION`, our id of a submit.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from vidgate.models.outcomes import FaultKind, UpstreamRef

__all__ = [
    "CORRELATION",
    "FILE",
    "FindRequest",
    "Reply",
    "Requests",
    "SentRequest",
    "Situations",
    "SituationsError",
    "read_reply",
    "read_situations",
]

FILE: Final = "situations.json"
CORRELATION: Final = "vg_0123456789abcdef"
"""Our id of a submit, as it stands in replies."""

_PLACES: Final = {
    "{job}": "(?P<job>(?!vg_)[^/?&]+)",
    "{correlation}": r"(?P<correlation>vg_\w+)",
    "{any}": "[^/]+",
}

Name: TypeAlias = str
"""Of a reply: that of its file without `.json`."""


class SituationsError(Exception):
    """The situations of a provider cannot be used; it says which is missing, or wrong."""


_CONFIG: Final = ConfigDict(extra="forbid", frozen=True)


class _Data(BaseModel):
    model_config = _CONFIG


@dataclass(frozen=True)
class Reply:
    """An answer as it was documented or recorded; it can be given more than once.

    Attributes:
        body: JSON; the answer has none where there is `text`.
        source: Where it is from.
    """

    body: Any = None
    status: int = 200
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    __pydantic_config__ = _CONFIG

    def response(self) -> httpx.Response:
        """Give it."""
        content = self.text if self.text is not None else json.dumps(self.body)
        return httpx.Response(self.status, headers=dict(self.headers), content=content.encode())

    def with_values(self, values: Mapping[str, str]) -> "Reply":
        """Put other texts in the place of those that stand in it."""
        text = None if self.text is None else _put(self.text, values)
        return replace(self, body=_put(self.body, values), text=text)


_REPLY: Final = TypeAdapter(Reply)


def _put(value: Any, values: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {name: _put(one, values) for name, one in value.items()}
        case list():
            return [_put(one, values) for one in value]
        case str():
            for old, new in values.items():
                value = value.replace(old, new)
            return value
        case int() if str(value) in values:
            return values[str(value)]
        case _:
            return value


def read_reply(folder: Path, name: Name) -> Reply:
    """Read a reply.

    Raises:
        SituationsError: There is none of this name, or it is none.
    """
    path = folder / f"{name}.json"
    try:
        return _REPLY.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SituationsError(f"{path}: {_told(error)}") from error


class SentRequest(_Data):
    """What makes a request the one that it is.

    `{job}` and `{correlation}` may stand in the path, a parameter of the query, or a member of the
    body (`a.b` for the member `b` of `a`): there the id of the job, or ours, is read. `{any}` is
    any one part of a path.

    Attributes:
        path: All of it below the host.
        query: Parameters that it must have; others may be there.
        body: Members that hold an id.
    """

    method: Literal["GET", "POST", "PUT"]
    path: str
    query: Mapping[str, str] = {}
    body: Mapping[str, Literal["{job}", "{correlation}"]] = {}

    def read(self, request: httpx.Request) -> Mapping[str, str] | None:
        """The `job` and the `correlation` in a request, `None` where it is not this one."""
        if request.method != self.method:
            return None
        said = [(self.path, request.url.path)]
        said += [(pattern, request.url.params.get(name)) for name, pattern in self.query.items()]
        found: dict[str, str] = {}
        for pattern, value in said:
            match = None if value is None else re.fullmatch(_pattern(pattern), value)
            if match is None:
                return None
            found |= match.groupdict()
        for name, place in self.body.items():
            value = _member(request.content, name)
            if isinstance(value, str | int):
                found[place.strip("{}")] = str(value)
        return found


def _pattern(text: str) -> str:
    parts = re.split(r"(\{\w+\})", text)
    return "".join(_PLACES.get(part, re.escape(part)) for part in parts)


def _member(content: bytes, name: str) -> Any:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


class FindRequest(SentRequest):
    """How a provider is asked what became of a submit.

    One that knows our id is asked by it, and answers as a poll does: `running` or `not_found`.
    Another is asked for its list of jobs, and `listed` is its answer.

    Attributes:
        listed: An answer with one job.
        items: The member of its body that is the list of jobs; its first one stands for each job
            of a test.
        sent: Members of a job that tell what was submitted, and the member of the submit's body
            with the same value.
        created: Members of a job that tell when it was made, as a number of (milli)seconds or as a
            text, whichever is in the answer.
    """

    listed: Name | None = None
    items: str | None = None
    sent: Mapping[str, str] = {}
    created: tuple[str, ...] = ()


class Requests(_Data):
    """The requests of a job of `model` with a prompt alone.

    Attributes:
        find: `None` where nobody can tell what became of a submit.
    """

    submit: SentRequest
    poll: SentRequest
    find: FindRequest | None = None


def _as_names(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names: TypeAlias = Annotated[tuple[Name, ...], BeforeValidator(_as_names), Field(min_length=1)]
"""A single name, or a list of them."""


class Situations(_Data):
    """All that is known of how a provider answers.

    Attributes:
        model: A model that takes a prompt alone.
        models: What a channel must list where the provider has no models of its own.
    unknown_model: One that a channel serves and the provider's adapter does not know.
        metadata: Vendor fields that requests of any model may carry: they are refused by name, or
            a stand-in of the provider takes them.
        key: A credential in the provider's form, of no account.
        other_key: Another one.
        job: The job that the replies are about.
        video: The address of its video in `succeeded`.
        requests: What is answered with these replies.
        submitted: The submit was accepted.
        queued: The job waits, where the provider tells that apart.
        running: It runs, in each way that the provider may say so.
        succeeded: It is finished.
        failed: It failed, and that is certain.
        without_url: It is finished, and the answer has no link to its video; `None` where that
            says nothing bad.
        not_found: There is no such job.
        unknown_status: Its status is a word that nobody knows.
        server_error: A 5xx after which the submit may have made a job.
        html: Pages of a proxy in front of the provider; a submit that is answered with the last one
            may have made a job.
        malformed: JSON that was cut off.
        rejected: How a submit is refused, by the reason. Those that the provider has no answer for
            are left out.
    """

    folder: Path = Field(exclude=True)
    model: str
    models: tuple[str, ...] = ()
    unknown_model: str
    metadata: tuple[Mapping[str, Any], ...] = ()
    key: str
    other_key: str
    job: UpstreamRef
    video: str
    requests: Requests
    submitted: Name
    queued: Name | None = None
    running: Names
    succeeded: Name
    failed: Name
    without_url: Name | None
    not_found: Name
    unknown_status: Name
    server_error: Name
    html: Names
    malformed: Name
    rejected: Mapping[FaultKind, Name]

    def reply(self, name: Name) -> Reply:
        """Read a reply.

        Raises:
            SituationsError: There is none of this name, or it is none.
        """
        return read_reply(self.folder, name)

    def all_replies(self) -> list[Name]:
        """The names of all files in the folder that are replies, used or not."""
        return sorted(
            path.stem
            for path in self.folder.glob("*.json")
            if path.name != FILE and not path.stem.startswith("request_")
        )

    def named(self) -> Iterator[Name]:
        """The replies that stand for something."""
        yield from (self.submitted, *self.running, self.succeeded, self.failed, self.not_found)
        yield from (self.unknown_status, self.server_error, *self.html, self.malformed)
        yield from self.rejected.values()
        listed = self.requests.find.listed if self.requests.find else None
        yield from filter(None, (self.queued, self.without_url, listed))


def read_situations(folder: Path) -> Situations:
    """Read a provider's situations and see that every reply they name is there.

    Raises:
        SituationsError: One is missing, or cannot be used.
    """
    path = folder / FILE
    try:
        data = json.loads(path.read_bytes())
        situations = Situations.model_validate({**data, "folder": folder})
    except (OSError, ValueError, TypeError) as error:
        raise SituationsError(f"{path}: {_told(error)}") from error
    for name in situations.named():
        situations.reply(name)
    return situations


def _told(error: Exception) -> str:
    match error:
        case ValidationError():
            return "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
            )
        case OSError():
            return f"{error.strerror}"
        case _:
            return f"{error}"
