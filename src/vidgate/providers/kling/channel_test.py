"""Whether a channel works, by the account's list of resource packs.

`GET /account/costs` is free, takes either credential, and exists on every host of Kling's, the old
one included, where `/tasks` does not. It is not to be asked more than once a second.

Source: the account pages under https://kling.ai/document-api/api/, read 2026-09-20.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.providers.base import ProbeAnswer
from vidgate.providers.kling.answers import answer_of, read_envelope, to_integer
from vidgate.providers.kling.generations import objects

__all__ = ["probe_path", "read_probe"]

_COSTS = "/account/costs"
_WINDOW = timedelta(days=1)

_WRONG_KEY = (
    "Kling refuses the credential; check it, and that it belongs to the region of the base URL "
    "(keys of mainland China and of Singapore are not the same)."
)
_BROKEN = "Kling itself fails at the moment, so the credential could not be checked; try again."
_BUSY = "Kling was asked too often, so the credential could not be checked; try again in a minute."
_ELSEWHERE = "Nothing at the base URL answers as Kling does; check it."

_SENTENCES: Final = {
    **dict.fromkeys((1000, 1001, 1002), _WRONG_KEY),
    1003: "Kling says that the signed token is not valid yet; set this machine's clock.",
    1004: "Kling says that the signed token has expired; set this machine's clock.",
    1100: "Kling says that there is something wrong with the account; look at its console.",
    1101: "The account is in arrears at Kling; pay what is due.",
    1102: "The account's resource packs at Kling are used up or expired; buy one.",
    1103: "Kling says that the credential may not do this; give it the permission.",
    **dict.fromkeys((1202, 1203), _ELSEWHERE),
    **dict.fromkeys((1302, 1303), _BUSY),
    1304: "Kling's list of allowed addresses does not have ours; add this machine's address.",
    **dict.fromkeys((5000, 5002), _BROKEN),
    5001: "Kling is under maintenance, so the credential could not be checked; try again.",
}
_STATUSES: Final = {401: _WRONG_KEY, 403: _WRONG_KEY, 429: _BUSY}
"""Of answers that are not in Kling's form."""


def probe_path(now: datetime) -> str:
    """The path and query of the cheapest read there is."""
    end = int(now.timestamp() * 1000)
    start = end - int(_WINDOW.total_seconds() * 1000)
    return f"{_COSTS}?start_time={start}&end_time={end}"


def read_probe(sent: httpx.Request, response: httpx.Response, *, api_key: bool) -> ProbeAnswer:
    """Say in one sentence whether the channel works."""
    try:
        envelope = read_envelope(sent, response)
    except ProviderProtocolError:
        status = response.status_code
        elsewhere = f"{_ELSEWHERE} {answer_of(sent, response).address} answers {status}."
        broken = _BROKEN if status >= httpx.codes.INTERNAL_SERVER_ERROR else elsewhere
        return ProbeAnswer.bad(_STATUSES.get(status, broken))
    code = envelope.code
    if code == 0 and isinstance(envelope.data, Mapping):  # this endpoint wraps twice
        code = to_integer(envelope.data.get("code")) or 0
    if code == 0:
        return ProbeAnswer.good(_working(envelope.data, api_key=api_key))
    unknown = f"Kling refuses with the code {code}, which is not known here."
    return ProbeAnswer.bad(_SENTENCES.get(code, unknown))


def _working(data: Any, *, api_key: bool) -> str:
    packs = objects(data.get("resource_pack_subscribe_infos")) if isinstance(data, Mapping) else []
    if not api_key:
        return "The credential works, for Kling's legacy models only; the others need an API key."
    if packs and not any(pack.get("status") == "online" for pack in packs):
        return (
            "The credential works, but no resource pack is in force: Kling may refuse new work "
            "until one is bought."
        )
    return "The credential works."
