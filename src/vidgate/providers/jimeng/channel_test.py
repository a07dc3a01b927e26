"""What the answer to a channel's test means."""

from collections.abc import Mapping

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.providers.answers import Answer
from vidgate.providers.base import ProbeAnswer
from vidgate.providers.jimeng.answers import (
    BAD_INPUT,
    INTERNAL,
    NO_SUCH_ACTION,
    NOT_OPENED,
    SUCCESS,
    TOO_MANY,
    ServiceReply,
    read_reply,
)

__all__ = ["PROBE_BODY", "read_probe"]

PROBE_BODY = {"req_key": "jimeng_ti2v_v30_pro", "task_id": "1000000000000000000"}
"""A question about a task that nobody has, of the key that is documented best."""

_UNREADABLE_SIGNATURE = (
    "The provider cannot read the signature; check that the key is written as"
    " ACCESS|SECRET and that no proxy changes the request"
)
_NO_SUCH_API = "What answers at the base URL does not know this API; check the channel's base URL"
_NO_POLICY = (
    "The key is right, but its user lacks the permission for Visual (cv); attach the policy to it"
    " in the console's access control"
)

_GATEWAY_SENTENCES: Mapping[str, str] = {
    "InvalidAccessKey": "The access key is unknown or disabled; copy it from the console again",
    "SignatureDoesNotMatch": (
        "The access key exists, but the secret key is not its own; copy it from the console again"
    ),
    "InvalidSecretToken": (
        "The session token is wrong or has expired; give the channel a new temporary key"
    ),
    "InvalidTimestamp": (
        "The clock of this machine is more than 15 minutes away from the provider's; set it"
    ),
    "MissingParameter": _UNREADABLE_SIGNATURE,
    "MissingRequestInfo": _UNREADABLE_SIGNATURE,
    "InvalidAuthorization": _UNREADABLE_SIGNATURE,
    "InvalidCredential": _UNREADABLE_SIGNATURE,
    "LackPolicy": _NO_POLICY,
    "AccessDenied": _NO_POLICY,
    "ServiceNotFound": _NO_SUCH_API,
    NO_SUCH_ACTION: _NO_SUCH_API,
    "FlowLimitExceeded": "The provider's flow limit is reached; try again in a minute",
}


def read_probe(answer: Answer) -> ProbeAnswer:
    """Say in one sentence whether the channel works; never raises."""
    try:
        reply = read_reply(answer)
    except ProviderProtocolError:
        return ProbeAnswer.bad(_unread(answer))
    if isinstance(reply, ServiceReply):
        return _read_service(reply, answer.status)
    if reply.word and reply.kind is None:
        return ProbeAnswer.bad(_failed(reply.code))
    sentence = _GATEWAY_SENTENCES.get(reply.word, "The provider refused the call")
    if sentence == _NO_SUCH_API:
        sentence += f": {answer.address}"
    return ProbeAnswer.bad(f"{sentence} ({reply.code}).")


def _read_service(reply: ServiceReply, status: int) -> ProbeAnswer:
    if reply.code in TOO_MANY:
        return ProbeAnswer.good("The key is right; the account is at its limit at the moment.")
    if reply.code in INTERNAL or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return ProbeAnswer.bad(_failed(str(reply.code)))
    if reply.code == SUCCESS or reply.code in BAD_INPUT:
        return ProbeAnswer.good("The key is right and the service answers.")
    if reply.code in NOT_OPENED:
        # Whether the channel is meant for that model nobody knows here.
        return ProbeAnswer.good(
            f"The key is right; its account or user may not use {PROBE_BODY['req_key']}, which"
            " was asked about: each model that the channel is to serve has to be opened in the"
            f" console ({reply.code})."
        )
    return ProbeAnswer.bad(f"The provider refused the call ({reply.code}).")


def _unread(answer: Answer) -> str:
    status = answer.status
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _failed(f"HTTP {status}")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return f"{_GATEWAY_SENTENCES['FlowLimitExceeded']} (HTTP 429)."
    return (
        f"What answers at {answer.address} is not the provider's API;"
        f" check the channel's base URL (HTTP {status})."
    )


def _failed(code: str) -> str:
    return f"The provider itself failed; try again later ({code})."
