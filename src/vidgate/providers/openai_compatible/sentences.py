"""Which sentences of a server's a client may read as they are.

A server knows what it takes, and says so better than we could: which lengths, which sizes. But it
may also tell of itself what is nobody's business, so only what looks harmless through and through
is passed on. What is refused costs a client a hint and no more.
"""

import re
from typing import Any, Final

import httpx

__all__ = ["to_safe_sentence"]

_LONGEST: Final = 200
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


def to_safe_sentence(value: Any, sent: httpx.Request) -> str:
    """The server's own sentence; empty where it is none, or one that might tell too much."""
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > _LONGEST or not _ALLOWED.fullmatch(text) or _FORBIDDEN.search(text):
        return ""
    key = sent.headers.get("authorization", "").rpartition(" ")[2]
    private = (key, sent.url.host)
    return "" if any(one and one.casefold() in text.casefold() for one in private) else text
