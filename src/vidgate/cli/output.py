"""What commands print: results on standard output, all else on standard error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

__all__ = [
    "JsonOption",
    "complain",
    "dump",
    "in_words",
    "print_fields",
    "print_json",
    "print_one",
    "print_table",
    "say",
]

_LIMIT_COLUMNS = ("name", "scope", "window", "used", "resets_at", "raised_until", "models")

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def complain(message: str) -> None:
    """Say what went wrong, without whatever looks like a secret."""
    from vidgate.logs import mask

    typer.echo(mask(message), err=True)


def say(message: str) -> None:
    """Say how it goes; results are printed."""
    typer.echo(message, err=True)


def dump(document: object, *, indent: int | None = 2) -> str:
    """Write JSON that standard output can carry, whatever its encoding."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(document, indent=indent, ensure_ascii=not is_unicode)


def in_words(names: Sequence[str], conjunction: str) -> str:
    """Write a list as a sentence has it: `a, b or c`."""
    *before, last = names
    return f"{', '.join(before)} {conjunction} {last}" if before else last


def print_json(document: object) -> None:
    """Print one JSON document."""
    typer.echo(dump(document))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print one thing, a line for each of its members."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_to_text(name, value)}")


def print_one(document: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one thing, and how its limits stand and the acts on it below."""
    if as_json:
        print_json(document)
        return
    fields = dict(document)
    acts = fields.pop("acts", [])
    limits = fields.pop("limits", None) or []
    print_fields(fields)
    if limits:
        typer.echo()
        print_table(_LIMIT_COLUMNS, map(_limit_row, limits))
    for act in acts:
        typer.echo()
        print_fields({name: value for name, value in act.items() if name != "object"})


def _limit_row(limit: Mapping[str, Any]) -> dict[str, Any]:
    used = "-" if limit["used"] is None else limit["used"]
    amounts = limit.get("amounts", f"{used} of {limit['limit']}")
    return {**dict.fromkeys(_LIMIT_COLUMNS), **limit, "used": amounts}


def print_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a table: drawn on a terminal, otherwise plain columns that are never cut."""
    cells = [[_to_text(name, row[name]) for name in columns] for row in rows]
    titles = [name.replace("_", " ") for name in columns]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*titles)
        for column in table.columns:
            column.overflow = "fold"
        for row in cells:
            table.add_row(*row)
        Console(highlight=False, markup=False).print(table)
        return
    lines = [titles, *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def _to_text(name: str, value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int() if name.endswith("_at"):
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case list():
            return ", ".join(str(one) for one in value) or "-"
        case dict():
            return ", ".join(f"{key}={one}" for key, one in value.items()) or "-"
        case _:
            return str(value)
