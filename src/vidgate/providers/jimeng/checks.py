"""What the answers to a cancellation and to a probe mean."""

from collections.abc import Mapping

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.providers.answers import address_of, retry_after_seconds
from vidgate.providers.base import CancelAnswer, ProbeAnswer
from vidgate.providers.jimeng.answers import (
    BAD_INPUT,
    COULD_NOT_ASK,
    INTERNAL,
    NOT_OPENED,
    SUCCESS,
    TOO_MANY,
    GatewayError,
    ServiceReply,
    read_reply,
    secrets,
    unclear,
)

__all__ = ["PROBE_BODY", "read_cancel", "read_probe"]

PROBE_BODY = {"req_key": "jimeng_ti2v_v30_pro", "task_id": "1000000000000000000"}
"""A question about a task that nobody has, of the key that is documented best."""

_NO_SUCH_ACTION = "InvalidActionOrVersion"
"""Of a gateway that speaks this format and cannot cancel."""

_CANCEL_WORDS: Mapping[object, CancelAnswer] = {
    "generating": CancelAnswer.TOO_LATE,
    "processing": CancelAnswer.TOO_LATE,
    "done": CancelAnswer.TOO_LATE,
    "not_found": CancelAnswer.UNKNOWN,
    "expired": CancelAnswer.UNKNOWN,
}
"""Nobody has written down what a cancellation answers; these are the words of a poll."""


def read_cancel(sent: httpx.Request, response: httpx.Response) -> CancelAnswer:
    """Read the answer to a cancellation.

    Only a task in the queue can be cancelled, and a refusal has no code of its own: every definite
    one is taken for that, so that nothing is called cancelled that runs on.

    Raises:
        ProviderProtocolError: It does not say.
    """
    retry_after = retry_after_seconds(response)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise unclear(sent, response, retry_after)
    reply = read_reply(sent, response)
    if isinstance(reply, ServiceReply):
        if reply.code == SUCCESS:
            word = reply.data.get("status")
            return _CANCEL_WORDS.get(word if isinstance(word, str) else "", CancelAnswer.ACCEPTED)
        is_definite = reply.code in BAD_INPUT or response.status_code == httpx.codes.BAD_REQUEST
        if is_definite and reply.code not in COULD_NOT_ASK:
            return CancelAnswer.TOO_LATE
    elif reply.word == _NO_SUCH_ACTION:
        return CancelAnswer.TOO_LATE
    raise unclear(sent, response, retry_after, f"{reply.code} {reply.message}")


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
    "InvalidActionOrVersion": _NO_SUCH_API,
    "FlowLimitExceeded": "The provider's flow limit is reached; try again in a minute",
}


def read_probe(sent: httpx.Request, response: httpx.Response) -> ProbeAnswer:
    """Say in one sentence whether the channel works; never raises."""
    status = response.status_code
    try:
        reply = read_reply(sent, response)
    except ProviderProtocolError:
        return ProbeAnswer(works=False, sentence=_unread(sent, status))
    if isinstance(reply, GatewayError):
        if reply.word and reply.kind is None:
            return ProbeAnswer(works=False, sentence=_failed(reply.code))
        sentence = _GATEWAY_SENTENCES.get(reply.word, "The provider refused the call")
        if sentence == _NO_SUCH_API:
            sentence += f": {address_of(sent, *secrets(sent))}"
        return ProbeAnswer(works=False, sentence=f"{sentence} ({reply.code}).")
    return _read_service(reply, status)


def _read_service(reply: ServiceReply, status: int) -> ProbeAnswer:
    if reply.code in TOO_MANY:
        return ProbeAnswer(
            works=True, sentence="The key is right; the account is at its limit at the moment."
        )
    if reply.code in INTERNAL or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return ProbeAnswer(works=False, sentence=_failed(str(reply.code)))
    if reply.code == SUCCESS or reply.code in BAD_INPUT:
        return ProbeAnswer(works=True, sentence="The key is right and the service answers.")
    if reply.code in NOT_OPENED:
        # Whether the channel is meant for that model nobody knows here.
        return ProbeAnswer(
            works=True,
            sentence=(
                f"The key is right; its account or user may not use {PROBE_BODY['req_key']}, which"
                " was asked about: each model that the channel is to serve has to be opened in the"
                f" console ({reply.code})."
            ),
        )
    return ProbeAnswer(works=False, sentence=f"The provider refused the call ({reply.code}).")


def _unread(sent: httpx.Request, status: int) -> str:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _failed(f"HTTP {status}")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return f"{_GATEWAY_SENTENCES['FlowLimitExceeded']} (HTTP 429)."
    return (
        f"What answers at {address_of(sent, *secrets(sent))} is not the provider's API;"
        f" check the channel's base URL (HTTP {status})."
    )


def _failed(code: str) -> str:
    return f"The provider itself failed; try again later ({code})."
