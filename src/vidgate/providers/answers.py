"""What all adapters read from answers in the same way; no answer is trusted."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import Failed, Fault, FaultKind

__all__ = [
    "COULD_NOT_ASK",
    "JOB_ID",
    "MAY_EXIST",
    "MESSAGE_CHARACTERS",
    "NO_LINK",
    "NO_SUCH_PLACE",
    "Answer",
    "by_code",
    "can_be_passed_on",
    "link_ends_at",
    "parse_object",
    "probe_sentence",
    "retry_after_seconds",
    "secret_of",
    "to_date",
    "to_id",
    "to_measure",
    "to_object",
    "to_pixels",
    "to_progress",
    "to_safe_sentence",
    "to_seed",
    "to_time",
    "to_url",
    "to_words",
    "without_video",
]

T = TypeVar("T")

MESSAGE_CHARACTERS = 500
"""Of a provider's sentence as it is kept for the operator."""

NO_LINK = "The provider says that it finished the task, but gave no link to the video."
"""What a client reads about a finished job without a video."""

JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""What most vendors' ids are made of. Nothing that could change a path is taken for one."""

NO_SUCH_PLACE = frozenset({404, 405})
"""What is answered where nothing is, as at a wrong base URL: before anything was made."""

MAY_EXIST = frozenset({408, 409, 425, 499})
"""The exchange was cut off, or met another one with our key; a job may exist all the same."""

COULD_NOT_ASK = frozenset(
    {FaultKind.RATE, FaultKind.CONCURRENCY, FaultKind.CREDENTIAL, FaultKind.BALANCE}
)
"""Faults that say nothing of the job that a question was about."""

KIND_OF_STATUS: Mapping[int, FaultKind] = {
    401: FaultKind.CREDENTIAL,
    402: FaultKind.BALANCE,
    403: FaultKind.CREDENTIAL,
    404: FaultKind.FAULT,
    405: FaultKind.FAULT,
    429: FaultKind.RATE,
}
"""What a refusal at a submit means where its word is unknown. 404 and 405: there is no such
endpoint, which says nothing of the model."""

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


def by_code(table: Mapping[str, T]) -> dict[str, T]:
    """Index a table whose keys are codes with spaces between them."""
    return {code: meaning for codes, meaning in table.items() for code in codes.split()}


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
    value: Any, *secrets: str, keys: re.Pattern[str] | None = None, limit: int = MESSAGE_CHARACTERS
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


def without_video(code: str, message: str) -> Failed:
    """What becomes of a job that is said to be done and has no link; it may have one later."""
    return Failed(Fault(FaultKind.FAULT, code, message, NO_LINK, is_paid=True), doubtful=True)


def retry_after_seconds(response: httpx.Response) -> float | None:
    """Read `Retry-After`, seconds or a date beside the answer's own; at most an hour is believed.

    Returns:
        `None` if it cannot be read.
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


@dataclass(frozen=True)
class Answer:
    """An answer beside its question, and what of ours it must not repeat.

    Attributes:
        who: Whose answer it is, as a sentence about it begins: `Vidu`, `The server`.
        sent: The question.
        secrets: Parts of the question that stay between us and the provider.
        keys: The form of the provider's keys, for other people's; `None` where they have none.
    """

    who: str
    sent: httpx.Request = field(repr=False)
    response: httpx.Response = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    keys: re.Pattern[str] | None = None

    @cached_property
    def body(self) -> dict[str, Any] | None:
        """The JSON object that it is; `None` for anything else."""
        return parse_object(self.response)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @property
    def retry_after_seconds(self) -> float | None:
        """When to ask again, `None` where it does not say."""
        return retry_after_seconds(self.response)

    @property
    def said(self) -> str:
        """What it says, in short, for the operator."""
        begin = self.response.content[: 8 * _SAID_CHARACTERS].decode("utf-8", "replace")
        return self.words(" ".join(begin.split()), limit=_SAID_CHARACTERS) or "an empty body"

    @property
    def address(self) -> str:
        """Where the question went, without what may be secret of it: neither user nor query."""
        url = self.sent.url
        host = f"[{url.host}]" if ":" in url.host else url.host
        port = "" if url.port is None else f":{url.port}"
        return self.words(f"{url.scheme}://{host}{port}{url.path}")

    @property
    def answered_at(self) -> datetime | None:
        """The time on its `Date`, `None` where none can be read."""
        return to_date(self.response.headers.get("date", ""))

    def words(self, value: Any, *, limit: int = MESSAGE_CHARACTERS) -> str:
        """Make text of it fit to be kept, as `to_words` does."""
        return to_words(value, *self.secrets, keys=self.keys, limit=limit)

    def unclear(self, what: str, told: str | None = None) -> ProviderProtocolError:
        """The error for an answer that does not say what was asked.

        Args:
            what: What it is instead.
            told: What was understood of it, `None` where its body has to speak for itself.
        """
        words = self.said if told is None else told
        return ProviderProtocolError(
            f"{self.who} answered {self.status}, {what}: {words}",
            retry_after_seconds=self.retry_after_seconds,
        )

    def not_the_api(self, code: str = "") -> Fault:
        """The fault of an address at which something else answers than the provider's API.

        Args:
            code: What stands in the place of one, empty for none.
        """
        told = f"{self.sent.method} {self.address} answers {self.status}: {self.said}"
        code = code or f"HTTP_{self.status}"
        return Fault(FaultKind.FAULT, code, told[:MESSAGE_CHARACTERS], _NOT_THE_API)


_THROTTLES: Final = "{who} is reached but throttles at the moment; try again later."
_PROBED: Final[Mapping[FaultKind | None, str]] = {
    FaultKind.CREDENTIAL: "{who} refuses the key.",
    FaultKind.BALANCE: "The key is right, but no credits are left, or the quota is used up.",
    FaultKind.RATE: _THROTTLES,
    FaultKind.CONCURRENCY: _THROTTLES,
    FaultKind.FAULT: "{who} is reached but fails at the moment; try again later.",
}
"""What a channel's operator is told of a fault that is not the question's."""


def probe_sentence(answer: Answer, kind: FaultKind | None) -> str:
    """What a channel's operator is told of a test that was not answered with a success.

    Args:
        answer: It.
        kind: What its error means, `None` where it has none.
    """
    sentence = _PROBED.get(kind, "{who} answers {status}.")
    return sentence.format(who=answer.who, status=answer.status)


# Single values, each `None` where there is nothing that can be one


_MOST_MEASURE: Final = 1_000_000
_MOST_SEED: Final = 2**63
_MOST_ID: Final = 10**20
"""Above these a number is nonsense, and would not fit where it is kept."""

_DIGITS: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")

_EARLIEST: Final = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


def to_object(value: Any) -> Mapping[str, Any]:
    """Read an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def to_id(value: Any, form: re.Pattern[str]) -> str | None:
    """Read the id of a job or a video, also one that is written as a number.

    Args:
        value: Out of an answer.
        form: What may be one: nothing in it may change the path that it will stand in.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST_ID:
        value = str(value)
    return value if isinstance(value, str) and form.fullmatch(value) else None


def to_url(value: Any, base: str = "") -> str | None:
    """Read a URL of http or https.

    Args:
        value: Out of an answer.
        base: What makes a path absolute; empty where paths are not accepted.
    """
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return None
    try:
        url = urljoin(base, value) if value.startswith("/") else value
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None


def link_ends_at(url: str) -> datetime | None:
    """When a signed URL ends, by `X-Amz-Date` and `X-Amz-Expires` or by `Expires`."""
    query = parse_qs(urlsplit(url).query)

    def digits(name: str, form: str) -> str:
        value = query.get(name, [""])[0]
        return value if re.fullmatch(form, value) else ""

    signed_at = digits("X-Amz-Date", r"[0-9]{8}T[0-9]{6}Z")
    lifetime = digits("X-Amz-Expires", r"[0-9]{1,7}")
    if signed_at and lifetime:
        try:
            begin = datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return begin + timedelta(seconds=int(lifetime))
        except (ValueError, OverflowError):
            pass
    epoch = digits("Expires", r"[0-9]{9,11}")
    return datetime.fromtimestamp(int(epoch), tz=UTC) if epoch else None


def to_measure(value: Any) -> float | None:
    """Read a positive number, also one in text, with an `s` for seconds behind it or without.

    A provider may write 0 where it does not know.
    """
    if isinstance(value, str):
        value = _to_number(value.strip().removesuffix("s"))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value < _MOST_MEASURE else None


def to_pixels(value: Any) -> int | None:
    """Read a side of a picture, which is whole."""
    number = to_measure(value)
    return int(number) if number is not None and number == int(number) else None


def to_seed(value: Any) -> int | None:
    """Read a seed."""
    is_seed = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_SEED
    return value if is_seed else None


def to_progress(value: Any) -> int | None:
    """Read a progress in percent, from 30, 30.0, 0.3, "30" or "30%"."""
    if isinstance(value, str):
        value = _to_number(value.strip().removesuffix("%"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and 0 < value < 1:
        value *= 100
    return int(value) if 0 <= value <= 100 else None  # noqa: PLR2004 - percent


def to_date(text: str) -> datetime | None:
    """Read a date as headers have it."""
    try:
        moment = parsedate_to_datetime(text)
        # One that says -0000 is in UTC, and comes without a zone.
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def to_time(value: Any) -> datetime | None:
    """Read a time: Unix seconds or milliseconds, or ISO 8601."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            value = _to_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value > _LATEST:
        value = value / 1000 if value < _LATEST * 1000 else 0
    return datetime.fromtimestamp(value, tz=UTC) if _EARLIEST < value < _LATEST else None


def _to_number(text: str) -> int | float | None:
    if _DIGITS.fullmatch(text.strip()) is None:
        return None
    number = float(text)
    return int(number) if number == int(number) else number


# Sentences that a client may read


_LONGEST_SENTENCE: Final = 200
_ALLOWED: Final = re.compile(r"[\w ,.:;'\"`()×*+%=<>?!~、。，：；（）“”‘’-]+")  # noqa: RUF001 - Chinese servers
"""No slash, at sign, bracket or line end: neither URLs, paths, addresses nor masked keys."""

_FORBIDDEN: Final = re.compile(
    r"(?<!metadata)\.[^\W\d]"  # a host's name, or a file's
    r"|\d+\.\d+\.\d+"  # an address
    r"|[^\W\d]:\d|:\d{3}|:\w*:|::"  # a port, or an address
    r"|\d{6}"  # a number of somebody or something
    r"|[0-9a-f]{8}-[0-9a-f]{4}"
    r"|\b(?=\w*\d)\w{12}"  # an id
    r"|[\w-]{24}"
    r"|\b(?:task|video|job|req|request|org|proj|user|acct|cus|chan|sk|pk|ak|rk)[_-]\w*\d"
    r"|\b(?:sk|pk|ak|rk)-"
    r"|\b(?:account|organi[sz]ation|credential|secret|token|channel|balance|quota|credits?"
    r"|api.?key|upstream|localhost|bearer|password)s?\b",
    re.IGNORECASE,
)


def to_safe_sentence(value: Any, *private: str) -> str:
    """The provider's own sentence; empty if it is not text or might tell too much.

    A server knows what it takes, and says so better than we could. But it may also tell of itself
    what is nobody's business, so only what looks harmless through and through is passed on. What
    is refused costs a client a hint and no more.

    Args:
        value: Out of an answer.
        private: What it must not name, in whatever case.
    """
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > _LONGEST_SENTENCE or not _ALLOWED.fullmatch(text) or _FORBIDDEN.search(text):
        return ""
    return "" if any(one and one.casefold() in text.casefold() for one in private) else text
