"""The options that set and raise limits, and how `show` tells of them."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer

from vidgate.cli.running import NOTHING, parse_moment, parse_span, read_patterns
from vidgate.models.limits import LimitChange, LimitUse, Measure, Period
from vidgate.models.money import format_amount, parse_amount

if TYPE_CHECKING:
    from vidgate.operators import OperatorContext

__all__ = [
    "UntilOption",
    "limit_documents",
    "read_until",
    "with_channel_limits",
    "with_limits",
    "with_raises",
]

_LARGEST: Final = 1_000_000_000
_PERIODS: Final = (Period.DAY, Period.WEEK, Period.MONTH, Period.TOTAL)
_SIMPLE: Final[Mapping[str, tuple[Measure, Period, int, str]]] = {
    "requests_per_minute": (
        Measure.REQUESTS,
        Period.MINUTE,
        1,
        "POSTs that make a task; so many may come at once, and then one after the other.",
    ),
    "reads_per_minute": (
        Measure.READS,
        Period.MINUTE,
        1,
        "GETs, counted by each process for its share.",
    ),
    "tasks_in_flight": (Measure.IN_FLIGHT, Period.AT_ONCE, 1, "Videos under way at once."),
    "max_queued": (Measure.QUEUED, Period.AT_ONCE, 0, "Videos that wait for a place."),
}
_BUDGETS: Final = {"budget": Measure.SPEND, "tasks": Measure.TASKS}
_FOR_CHANNELS: Final = ("requests_per_minute", *_BUDGETS)
_SPAN: Final = re.compile(r"\d{1,8}[smhdw]")
_HELP: Final = {
    "budget": "Money over a day, week, month or in all, such as day=10.00; repeat.",
    "tasks": "Videos over a day, week, month or in all, such as month=500; repeat.",
    "time_zone": "In which the days, weeks and months named here begin; UTC at first.",
    "warn_at": "The part of the budgets named here from which the log warns; 0.8 at first.",
    "for_models": "The budgets named here count these models alone, such as 'this-*,that'.",
}

UntilOption = Annotated[
    str,
    typer.Option(metavar="SPAN_OR_TIME", help="Such as 2h or 3d, or 2026-12-01T00:00Z."),
]


def with_limits(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that set limits; it takes what they say as `limits`."""
    return _with_options(command, (*_SIMPLE, *_BUDGETS, "time_zone", "warn_at", "for_models"))


def with_channel_limits(command: Callable[..., None]) -> Callable[..., None]:
    """Likewise those of a channel."""
    return _with_options(command, (*_FOR_CHANNELS, "time_zone"))


def with_raises(command: Callable[..., None]) -> Callable[..., None]:
    """Likewise those that say by how much limits are raised."""
    return _with_options(command, (*_SIMPLE, *_BUDGETS, "for_models"))


def _with_options(command: Callable[..., None], names: Sequence[str]) -> Callable[..., None]:
    def run(**given: Any) -> None:
        told = {name: given.pop(name) for name in names}
        command(**given, limits=_read(told))

    own = inspect.signature(command)
    parameters = [one for name, one in own.parameters.items() if name != "limits"]
    parameters += [_option(name) for name in names]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined] # for typer
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    return run


def _option(name: str) -> inspect.Parameter:
    kind: Any
    if name in _BUDGETS:
        kind = Annotated[list[str] | None, typer.Option(metavar="PERIOD=AMOUNT", help=_HELP[name])]
    elif name in _SIMPLE:
        text = f"{_SIMPLE[name][-1][:-1]}; `{NOTHING}` for no limit."
        kind = Annotated[str | None, typer.Option(metavar="NUMBER", help=text)]
    else:
        kind = Annotated[str | None, typer.Option(help=_HELP[name])]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _read(told: Mapping[str, Any]) -> list[LimitChange]:
    changes = [
        LimitChange(measure=measure, period=period, limit=_read_number(name, told[name], least))
        for name, (measure, period, least, _) in _SIMPLE.items()
        if told.get(name) is not None
    ]
    models = read_patterns(told.get("for_models"))
    budgets = [_read_budget(name, pair) for name in _BUDGETS for pair in told.get(name) or ()]
    if not budgets and any(told.get(one) for one in ("time_zone", "warn_at", "for_models")):
        raise typer.BadParameter("name the budgets that this is about, with their amounts")
    zone, warn_at = told.get("time_zone"), told.get("warn_at")
    return changes + [
        replace(
            budget,
            models=models,
            time_zone=zone,
            warn_at=None if warn_at is None else _read_part(warn_at),
        )
        for budget in budgets
    ]


def _read_number(name: str, text: str, least: int) -> int | None:
    if text == NOTHING:
        return None
    if not (text.isascii() and text.isdecimal() and least <= int(text[:12]) <= _LARGEST):
        raise typer.BadParameter(
            f"write a number from {least} on, or `{NOTHING}` for no limit",
            param_hint=f"'--{name.replace('_', '-')}'",
        )
    return int(text)


def _read_budget(name: str, pair: str) -> LimitChange:
    word, separator, amount = pair.partition("=")
    if not separator or word not in _PERIODS:
        periods = ", ".join(_PERIODS)
        raise typer.BadParameter(
            f"write PERIOD=AMOUNT with one of {periods}, such as day=10",
            param_hint=f"'--{name}'",
        )
    measure, limit = _BUDGETS[name], None
    if amount != NOTHING:
        is_money = measure is Measure.SPEND
        limit = parse_amount(amount) if is_money else _read_number(name, amount, 0)
        if limit is None or limit < 0:
            raise typer.BadParameter("write no amount below zero", param_hint=f"'--{name}'")
    return LimitChange(measure=measure, period=Period(word), limit=limit)


def _read_part(text: str) -> Decimal:
    try:
        part = Decimal(text)
    except InvalidOperation:
        part = Decimal(-1)
    if not (part.is_finite() and 0 <= part <= 1):
        raise typer.BadParameter("write a part from 0 to 1, such as 0.8", param_hint="'--warn-at'")
    return part


def read_until(text: str) -> datetime:
    """Read when a raise ends: a span from now on, or a moment."""
    now = datetime.now(UTC)
    until = now + parse_span(text) if _SPAN.fullmatch(text) else parse_moment(text)
    if until <= now:
        raise typer.BadParameter("it is over already", param_hint="'--until'")
    return until


async def limit_documents(
    operator: "OperatorContext", owner_id: UUID, token_id: UUID | None = None
) -> list[dict[str, Any]]:
    """The limits of an account, with those of a token of its, or of a channel, and their use."""
    now = datetime.now(UTC)
    uses = await operator.limits.uses(owner_id, token_id, now=now)
    return [_document(use, operator.settings.currency, now) for use in uses]


def _document(use: LimitUse, currency: str, now: datetime) -> dict[str, Any]:
    limit = use.limit
    document = use.to_document()
    if limit.measure is Measure.SPEND:
        used = format_amount(use.used or 0, shortest=True)
        document["amounts"] = f"{used} of {format_amount(use.most, shortest=True)} {currency}"
    if limit.is_budget:
        document |= {"time_zone": limit.time_zone, "warn_at": float(limit.warn_at)}
    if limit.raised_until is not None and limit.raised_until > now:
        document |= {
            "raised_by": limit.raised_by,
            "raised_until": int(limit.raised_until.timestamp()),
        }
    return document
