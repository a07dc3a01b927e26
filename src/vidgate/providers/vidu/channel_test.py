"""From Vidu's answer to the question for credits to a sentence for the operator."""

from collections.abc import Mapping
from decimal import Decimal

import httpx

from vidgate.models.outcomes import FaultKind
from vidgate.providers.answers import Answer, probe_sentence
from vidgate.providers.base import ProbeAnswer
from vidgate.providers.vidu.answers import to_amount
from vidgate.providers.vidu.faults import read_error, to_fault

__all__ = ["to_probe_answer"]

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


def to_probe_answer(answer: Answer) -> ProbeAnswer:
    """Say what the question for credits tells of a channel."""
    status, where = answer.status, answer.address
    if answer.response.is_success:
        return _read_credits(answer)
    error = read_error(answer)
    if error is None:
        return ProbeAnswer.bad(
            f"{where} answers {status}, and not in Vidu's form; check that the base URL is "
            "https://api.vidu.com or https://api.vidu.cn."
        )
    if status == httpx.codes.NOT_FOUND:
        return ProbeAnswer.good(f"{_NO_CREDITS} {where} answers {status}: check the base URL.")
    return ProbeAnswer.bad(
        _SENTENCES.get(status) or probe_sentence(answer, to_fault(error, answer).kind)
    )


def _read_credits(answer: Answer) -> ProbeAnswer:
    body = answer.body or {}
    # The documentation's table and its sample name the list differently.
    remains = body.get("remains", body.get("remaining_credits"))
    if not isinstance(remains, list) or not all(isinstance(one, dict) for one in remains):
        return ProbeAnswer.bad(_ALIEN)
    amounts = [to_amount(one.get("credit_remain")) for one in remains]
    known = [amount for amount in amounts if amount is not None]
    left = sum(known, Decimal(0))
    by_slots = any(one.get("type") == "concurrent" for one in remains)
    if left <= 0 and len(known) == len(amounts) and not by_slots:
        return ProbeAnswer.bad(probe_sentence(answer, FaultKind.BALANCE))
    told = f"{left:,f}" if left != left.to_integral_value() else f"{int(left):,}"
    return ProbeAnswer.good(f"The key is right, and {told} credits remain.")
