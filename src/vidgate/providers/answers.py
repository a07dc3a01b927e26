"""What is read alike out of every provider's answers, none of which is trusted."""

import json
import math
import re
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from vidgate.models.outcomes import Fault, FaultKind

__all__ = [
    "MESSAGE_CHARACTERS",
    "NO_LINK",
    "NO_SUCH_PLACE",
    "address_of",
    "can_be_passed_on",
    "not_the_api",
    "parse_object",
    "retry_after_seconds",
    "said",
    "secret_of",
    "to_words",
]

MESSAGE_CHARACTERS = 500
"""Of a provider's sentence as it is kept for the operator."""

NO_LINK = "The provider says that it finished the task, but gave no link to the video."
"""What a client is told of a finished job without a video."""

NO_SUCH_PLACE = frozenset({404, 405})
"""What is answered where nothing is, as at a wrong base URL: before anything was made."""

_NOT_THE_API = (
    "What answers at the provider's address is not its API; tell the operator of this deployment."
)
_SAID_CHARACTERS = 200

_LONGEST_WAIT_SECONDS = 3600.0
"""More is not believed of an answer."""

_MOST_LEVELS = 100
"""One inside another in what a client is given; it may send as many itself."""

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""Which no UTF-8 has."""

_SHORTEST_SECRET = 8
"""What is shorter is no real key, and would be found inside ordinary words."""


def parse_object(response: httpx.Response) -> dict[str, Any] | None:
    """Read a body as one JSON object; `None` for anything else."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def can_be_passed_on(value: Any, levels: int = _MOST_LEVELS) -> bool:
    """Whether what was read can be written as JSON again, for a client.

    Args:
        value: Out of an answer.
        levels: How many it may have.
    """
    match value:
        case str():
            return _HALF_CHARACTER.search(value) is None
        case float():
            return math.isfinite(value)
        case list():
            return levels > 0 and all(can_be_passed_on(one, levels - 1) for one in value)
        case dict():
            members = (part for member in value.items() for part in member)
            return levels > 0 and all(can_be_passed_on(part, levels - 1) for part in members)
        case _:
            return True


def secret_of(sent: httpx.Request) -> str:
    """The key in a request's `Authorization`, without the scheme before it."""
    authorization: str = sent.headers.get("authorization", "")
    return authorization.rpartition(" ")[2]


def to_words(
    value: Any,
    *secrets: str,
    keys: re.Pattern[str] | None = None,
    limit: int = MESSAGE_CHARACTERS,
) -> str:
    """Make text of an answer fit to be kept: printable, short, and without a secret.

    Args:
        value: Whatever stands where text is expected.
        secrets: What the answer must not repeat of the request.
        keys: The form of the provider's keys, for other people's.
        limit: In characters.

    Returns:
        Nothing for what is no text.
    """
    if not isinstance(value, str):
        return ""
    # Halves of surrogate pairs cannot be encoded, and a line end would make two log lines of one.
    text = value[: 4 * limit].encode("utf-8", "replace").decode()
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[key]")
    if keys is not None:
        text = keys.sub("[key]", text)
    text = "".join(character if character.isprintable() else " " for character in text)
    return text.strip()[:limit]


def said(response: httpx.Response, *secrets: str, keys: re.Pattern[str] | None = None) -> str:
    """What an answer says that cannot be understood, in short, for the operator.

    Args:
        response: Its body is read.
        secrets: What the answer must not repeat of the request.
        keys: The form of the provider's keys, for other people's.
    """
    begin = response.content[: 8 * _SAID_CHARACTERS].decode("utf-8", "replace")
    words = to_words(" ".join(begin.split()), *secrets, keys=keys, limit=_SAID_CHARACTERS)
    return words or "an empty body"


def address_of(sent: httpx.Request, *secrets: str, keys: re.Pattern[str] | None = None) -> str:
    """Where a request went, without what may be secret of it: neither user, query nor key."""
    url = sent.url
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = "" if url.port is None else f":{url.port}"
    return to_words(f"{url.scheme}://{host}{port}{url.path}", *secrets, keys=keys)


def not_the_api(
    sent: httpx.Request,
    response: httpx.Response,
    *secrets: str,
    keys: re.Pattern[str] | None = None,
    code: str = "",
) -> Fault:
    """The fault of an address at which something else answers than the provider's API.

    Args:
        sent: Where that was.
        response: Without a word of the provider's.
        secrets: What the answer must not repeat of the request.
        keys: The form of the provider's keys, for other people's.
        code: What stands in the place of one, empty for none.
    """
    where = address_of(sent, *secrets, keys=keys)
    words = said(response, *secrets, keys=keys)
    return Fault(
        FaultKind.FAULT,
        code or f"HTTP_{response.status_code}",
        f"{sent.method} {where} answers {response.status_code}: {words}"[:MESSAGE_CHARACTERS],
        _NOT_THE_API,
    )


def retry_after_seconds(response: httpx.Response) -> float | None:
    """Read `Retry-After`, seconds or a date beside the answer's own; at most an hour is believed.

    Returns:
        `None` where there is none that can be read.
    """
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return min(float(value), _LONGEST_WAIT_SECONDS)
    try:
        until = parsedate_to_datetime(value)
        seconds = (until - parsedate_to_datetime(response.headers.get("date", ""))).total_seconds()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)
