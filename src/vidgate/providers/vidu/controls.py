"""From Vidu's answers to a cancellation and to the question for credits."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import FaultKind
from vidgate.providers.answers import address_of, parse_object, retry_after_seconds, secret_of
from vidgate.providers.base import CancelAnswer, ProbeAnswer
from vidgate.providers.vidu.faults import (
    UNCERTAIN_CODES,
    read_error,
    to_fault,
    told,
)

__all__ = ["to_cancel_answer", "to_probe_answer"]

_NO_SUCH_JOB = frozenset({"TaskNotFound", "CreationNotFound", "NotFound", "CODEC"})
"""`CODEC` is what an id gets that is no number."""

_COULD_NOT_ASK = frozenset(
    {FaultKind.RATE, FaultKind.CONCURRENCY, FaultKind.CREDENTIAL, FaultKind.BALANCE}
)
_CUT_OFF = frozenset({408, 499})


def to_cancel_answer(sent: httpx.Request, response: httpx.Response) -> CancelAnswer:
    """Read the answer to a cancellation. What a running job says is not documented.

    Raises:
        ProviderProtocolError: It does not say.
    """
    if response.is_success:
        body = parse_object(response)
        if response.content and (body is None or _is_error(body)):
            raise _unclear(sent, response, "no clear answer to a cancellation")
        return CancelAnswer.ACCEPTED
    error = read_error(sent, response)
    if error is None or not response.is_client_error or response.status_code in _CUT_OFF:
        raise _unclear(
            sent, response, error.code if error else "an error that is not the provider's own"
        )
    if error.code in _NO_SUCH_JOB:
        return CancelAnswer.UNKNOWN
    kind = to_fault(error, response).kind
    if kind is FaultKind.CANCELLED:
        return CancelAnswer.ACCEPTED
    if kind in _COULD_NOT_ASK or error.code in UNCERTAIN_CODES:
        raise _unclear(sent, response, error.code)
    return CancelAnswer.TOO_LATE


def _is_error(body: Mapping[str, Any]) -> bool:
    return any(body.get(name) for name in ("reason", "code", "err_code"))


def to_probe_answer(sent: httpx.Request, response: httpx.Response) -> ProbeAnswer:
    """Say what the question for credits tells of a channel."""
    if response.is_success:
        body = parse_object(response)
        return (
            _read_credits(body) if body is not None else ProbeAnswer(works=False, sentence=_ALIEN)
        )
    error = read_error(sent, response)
    where = address_of(sent, secret_of(sent))
    if error is None:
        return ProbeAnswer(
            works=False,
            sentence=f"{where} answers {response.status_code}, and not in Vidu's form; check that "
            "the base URL is https://api.vidu.com or https://api.vidu.cn.",
        )
    if response.status_code == httpx.codes.NOT_FOUND:
        hint = f"{where} answers {response.status_code}: check the base URL."
        return ProbeAnswer(works=True, sentence=f"{_NO_CREDITS} {hint}")
    kind = to_fault(error, response).kind
    sentence = _SENTENCES.get(response.status_code) or _BY_KIND.get(kind)
    return ProbeAnswer(
        works=False, sentence=sentence or f"Vidu answers {response.status_code} {error.code}."
    )


_ALIEN = "The base URL answers, but not as Vidu does; check that it is Vidu's API."
_NO_CREDITS = (
    "The server answers as Vidu does but tells no credits, so that the key could not be checked; "
    "the first video will tell."
)
"""Of gateways that speak Vidu's format."""

_SENTENCES: Mapping[int, str] = {
    401: "Vidu refuses the key: check it, and that the base URL is that of the site it was made "
    "on, since keys of api.vidu.com and api.vidu.cn are not interchangeable.",
    403: "Vidu knows the key but does not let it ask for credits; check its permissions.",
}
_BY_KIND: Mapping[FaultKind, str] = {
    FaultKind.CREDENTIAL: "Vidu refuses the key.",
    FaultKind.BALANCE: "The key is right, but the account has no credits left.",
    FaultKind.RATE: "Vidu is reached but throttles at the moment; try again later.",
    FaultKind.CONCURRENCY: "Vidu is reached but throttles at the moment; try again later.",
    FaultKind.FAULT: "Vidu is reached but fails at the moment; try again later.",
}


def _read_credits(body: Mapping[str, Any]) -> ProbeAnswer:
    # The documentation's table and its sample name the list differently.
    remains = body.get("remains", body.get("remaining_credits"))
    if not isinstance(remains, list) or not all(isinstance(one, dict) for one in remains):
        return ProbeAnswer(works=False, sentence=_ALIEN)
    amounts = [_amount(one.get("credit_remain")) for one in remains]
    known = [amount for amount in amounts if amount is not None]
    left = sum(known, Decimal(0))
    by_slots = any(one.get("type") == "concurrent" for one in remains)
    if left <= 0 and len(known) == len(amounts) and not by_slots:
        return ProbeAnswer(
            works=False, sentence="The key is right, but the account has no credits left."
        )
    told = f"{left:,f}" if left != left.to_integral_value() else f"{int(left):,}"
    return ProbeAnswer(works=True, sentence=f"The key is right, and {told} credits remain.")


_MAX_CREDITS = Decimal(10) ** 12


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value)[:40])
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() and abs(amount) < _MAX_CREDITS else None


def _unclear(sent: httpx.Request, response: httpx.Response, what: str) -> ProviderProtocolError:
    return ProviderProtocolError(
        f"Vidu answered {response.status_code}, {what}: {told(sent, response)}.",
        retry_after_seconds=retry_after_seconds(response),
    )
