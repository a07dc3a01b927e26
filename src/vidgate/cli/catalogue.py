"""`vidgate models`."""

from collections.abc import Sequence
from typing import Any

from vidgate.cli.documents import model_document
from vidgate.cli.output import JsonOption, print_json, print_table
from vidgate.cli.running import with_operator
from vidgate.operators import OperatorContext
from vidgate.services.channels.catalogue import ModelOffer, list_models

__all__ = ["models"]

_COLUMNS = ("id", "provider", "actions", "durations", "tiers", "successor", "channels")


def models(*, as_json: JsonOption = False) -> None:
    """List every model that is known or named by a channel, and the channels that serve it."""

    async def read(operator: OperatorContext) -> Sequence[ModelOffer]:
        return list_models(await operator.channels.all(), operator.providers)

    documents = [model_document(offer) for offer in with_operator(read)]
    if as_json:
        print_json(documents)
    else:
        print_table(_COLUMNS, [_row(document) for document in documents])


def _row(document: dict[str, Any]) -> dict[str, Any]:
    actions = document["actions"]
    return {
        **document,
        "actions": list(actions),
        "durations": _spans(sorted(_all_of(actions, "durations"))),
        "tiers": list(_all_of(actions, "tiers")),
    }


def _all_of(actions: dict[str, Any], name: str) -> dict[Any, None]:
    """What any of the actions takes, in their order."""
    return dict.fromkeys(value for action in actions.values() for value in action[name])


def _spans(numbers: Sequence[int]) -> list[str]:
    """Write 3, 4, 5, 10 as 3-5 and 10."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return [str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in spans]
