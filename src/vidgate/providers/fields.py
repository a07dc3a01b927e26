"""Fields of a body, judged against tables: what each may say, and what does not go together.

An adapter lists what it knows as data; the checks and their sentences are the same for every
provider. A field without a row passes, and so does a value that is as good as absent: the vendor
judges.

Where an adapter has tables, its module `fields` holds them all in `FORMS`, a mapping from a model
and an endpoint (or the adapter's own name for where a body goes) to a `Form`. A test walks through
every row of every form, with a value that passes and one that does not.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from vidgate.exceptions import UnsupportedParameterError

__all__ = [
    "SWITCH",
    "Absent",
    "Body",
    "Check",
    "Fields",
    "Form",
    "Items",
    "Length",
    "OneOf",
    "Rule",
    "Within",
    "fold",
    "is_given",
    "refuse_misspelled",
    "to_number",
]

Body: TypeAlias = Mapping[str, Any]

_LONGEST_SHOWN = 40
"""Characters of a wrong value that an error repeats; what is longer is no wrong word."""


# What one field may say


class Check(Protocol):
    """What one field may say."""

    def refuse(self, name: str, value: Any, told: str) -> None:
        """Refuse a value that cannot be honoured.

        Args:
            name: What the client calls the field.
            value: Something that `is_given`.
            told: What messages call the model.

        Raises:
            UnsupportedParameterError: It names the field, and what is allowed.
        """


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a list.

    Attributes:
        allowed: What is listed to the client.
        as_number: Whether a number may also be written as text.
        passed: Values that pass beside those that are listed.
    """

    allowed: Sequence[object]
    as_number: bool = False
    passed: tuple[object, ...] = ()

    def refuse(self, name: str, value: Any, told: str) -> None:
        """Refuse what is not in the list."""
        said = to_number(value) if self.as_number else value
        if not any(_is_same(said, one) for one in (*self.allowed, *self.passed)):
            raise UnsupportedParameterError(
                name,
                f"The model {told} does not take {_shown(value)} as {name} here.",
                allowed=[
                    str(one).lower() if isinstance(one, bool) else one for one in self.allowed
                ],
            )


SWITCH = OneOf((True, False))


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing: the model has no such field. What asks for nothing passes, such as `false`.

    Attributes:
        takers: The models that have it, where that is of use.
        otherwise: What a value may be that asks for nothing.
    """

    takers: tuple[str, ...] = ()
    otherwise: Check | None = None

    def refuse(self, name: str, value: Any, told: str) -> None:
        """Refuse whatever asks for something."""
        if value:
            has = "has" if len(self.takers) == 1 else "have"
            instead = f"; {' and '.join(self.takers)} {has}" if self.takers else ""
            raise UnsupportedParameterError(name, f"The model {told} has no {name}{instead}.")
        if self.otherwise is not None:
            self.otherwise.refuse(name, value, told)


@dataclass(frozen=True, slots=True)
class Within:
    """A number between two bounds, or equal to one. What is no number is the vendor's to judge."""

    least: float
    most: float

    def refuse(self, name: str, value: Any, told: str) -> None:
        """Refuse a number out of bounds, also one that is written as text."""
        _refuse_beyond(name, to_number(value), self, "", told)


@dataclass(frozen=True, slots=True)
class Length:
    """A text of so many characters. What is no text is the vendor's to judge."""

    least: int
    most: int

    def refuse(self, name: str, value: Any, told: str) -> None:
        """Refuse a text that is too short or too long."""
        if not isinstance(value, str) or self.least <= len(value) <= self.most:
            return
        if not self.least:
            raise UnsupportedParameterError(
                name, f"The model {told} takes a {name} of at most {self.most} characters here."
            )
        _refuse_beyond(name, len(value), self, " characters", told)


@dataclass(frozen=True, slots=True)
class Items:
    """A list of so many members. One that is empty, and what is no list, passes.

    Attributes:
        least: Members.
        most: Members.
        of: What the fields of each member may say.
    """

    least: int
    most: int
    of: Mapping[str, Check] = field(default_factory=dict)

    def refuse(self, name: str, value: Any, told: str) -> None:
        """Refuse a list that is too short or too long, or that has a wrong member."""
        if not isinstance(value, list) or not value:
            return
        _refuse_beyond(name, len(value), self, " items", told)
        for member in value:
            if isinstance(member, Mapping):
                for key, check in self.of.items():
                    if is_given(member.get(key)):
                        check.refuse(f"{name}.{key}", member[key], told)


def _refuse_beyond(
    name: str, measured: float | None, bounds: "Within | Length | Items", unit: str, told: str
) -> None:
    if measured is not None and not bounds.least <= measured <= bounds.most:
        raise UnsupportedParameterError(
            name,
            f"The model {told} takes {name} from {bounds.least} to {bounds.most}{unit}, "
            f"not {measured:.15g}.",
        )


def _shown(value: Any) -> str:
    """A value as a sentence can have it."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:.15g}"
        case str() if len(value) <= _LONGEST_SHOWN and value.isprintable():
            return f"`{value}`"
        case str():
            return "this text"
        case list():
            return "a list"
        case _:
            return "an object"


def _is_same(value: Any, other: object) -> bool:
    # In Python 1 is True, and in JSON it is not.
    return value == other and isinstance(value, bool) is isinstance(other, bool)


# A whole body


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that does not go together.

    Attributes:
        field: What is refused.
        broken: Whether a body breaks it; anything that is true says so.
        says: One sentence for the client, with `{model}` for the model.
        allowed: What would be right.
    """

    field: str
    broken: Callable[[Body], object]
    says: str
    allowed: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """What one endpoint takes of one model.

    Attributes:
        checks: By the vendor's field.
        rules: Held against the body after the checks, in their order.
        first: Rules that are held against it before them.
    """

    checks: Mapping[str, Check] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    first: tuple[Rule, ...] = ()

    def judge(self, body: Body, *, told: str, names: Mapping[str, str] = {}) -> None:
        """Refuse what is known to be refused, ignored or misread.

        Args:
            body: What is to be sent, vendor fields included.
            told: What messages call the model.
            names: What the client calls a field, where that is not the vendor's name
                (`Draft.names`).

        Raises:
            UnsupportedParameterError: It names the field, and what is allowed.
        """
        self._hold(self.first, body, told, names)
        for name, check in self.checks.items():
            if is_given(body.get(name)):
                check.refuse(names.get(name, name), body[name], told)
        self._hold(self.rules, body, told, names)

    def _hold(self, rules: Iterable[Rule], body: Body, told: str, names: Mapping[str, str]) -> None:
        for rule in rules:
            if rule.broken(body):
                raise UnsupportedParameterError(
                    names.get(rule.field, rule.field),
                    rule.says.replace("{model}", told),
                    allowed=rule.allowed,
                )

    def prune(self, body: Body) -> dict[str, Any]:
        """A judged body without the fields that the model has not: they ask for nothing."""
        return {
            name: value
            for name, value in body.items()
            if not isinstance(self.checks.get(name), Absent)
        }


@dataclass(frozen=True, slots=True)
class Fields:
    """Every documented field of a provider, by the endpoint that has it.

    Attributes:
        by_endpoint: The endpoints by the names that messages call them.
        nothing: Values by which nothing is asked for; clients send them with everything.
        nothing_of: The same of one field.
    """

    NOTHING: ClassVar[tuple[Any, ...]] = (None, "", False, [], {})

    by_endpoint: Mapping[str, Collection[str]]
    nothing: tuple[Any, ...] = NOTHING
    nothing_of: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def documented(self) -> frozenset[str]:
        """The fields of all endpoints."""
        return frozenset().union(*self.by_endpoint.values())

    def asks(self, body: Body, name: str) -> bool:
        """Whether a field asks for something."""
        value = body.get(name)
        return value not in self.nothing and value not in self.nothing_of.get(name, ())

    def foreign(self, body: Body, endpoint: str) -> list[str]:
        """Name the fields of other endpoints alone that ask for something."""
        own = self.by_endpoint[endpoint]
        return [
            name
            for name in body
            if name not in own and self._takers(name) and self.asks(body, name)
        ]

    def refuse_foreign(
        self, body: Body, endpoint: str, *, told: str, passed: Collection[str] = ()
    ) -> None:
        """Refuse fields of other endpoints, which a vendor may ignore and bill the rest.

        Args:
            body: What is to be sent.
            endpoint: Where it is to be sent.
            told: What lacks the field, at the beginning of a sentence.
            passed: Fields that do no harm.

        Raises:
            UnsupportedParameterError: It names the field, and the endpoints that have it.
        """
        for name in self.foreign(body, endpoint):
            if name not in passed:
                takers = ", ".join(self._takers(name))
                raise UnsupportedParameterError(
                    name, f"{told} has no {name}; it is a field of {takers}."
                )

    def _takers(self, name: str) -> list[str]:
        return [endpoint for endpoint, fields in self.by_endpoint.items() if name in fields]


# Spelling


def fold(names: Iterable[str]) -> Mapping[str, str]:
    """Index names by how a server may read them that minds neither case nor underscores.

    A Go server may read `Duration` or `offPeak` as the field itself, unseen by the bill.
    """
    return {name.replace("_", ""): name for name in names}


def refuse_misspelled(names: Iterable[str], folded: Mapping[str, str], *, whose: str) -> None:
    """Refuse another spelling of a name that is billed, or that is ours.

    Args:
        names: As the client wrote them.
        folded: The names, as `fold` indexes them.
        whose: Who spells them otherwise, such as `Vidu spells it`.

    Raises:
        UnsupportedParameterError: It names the field, and how it is spelled.
    """
    for name in names:
        meant = folded.get(name.replace("_", "").casefold())
        if meant is not None and meant != name:
            raise UnsupportedParameterError(
                name, f"The vendor field is not spelled as {whose}.", allowed=(meant,)
            )


# Single values


def is_given(value: Any) -> bool:
    """Whether a field is more than absent."""
    return value is not None and value != ""


def to_number(value: Any) -> float | None:
    """Read a finite number, also one written as text; `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
