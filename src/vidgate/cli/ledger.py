"""`vidgate ledger …`."""

from typing import TYPE_CHECKING

import typer

from vidgate.cli.output import complain, say
from vidgate.cli.running import with_operator

if TYPE_CHECKING:
    from vidgate.db.ledger_check import Imbalance
    from vidgate.operators import OperatorContext

__all__ = ["commands"]

commands = typer.Typer()


@commands.callback()
def _group() -> None:
    """What was held, charged and paid."""


@commands.command("check")
def check_ledger() -> None:
    """Prove that every balance, hold and charge is right; exit with 1 where one is not."""
    from vidgate.db.ledger_check import check_books

    async def check(operator: "OperatorContext") -> "Imbalance | None":
        return await check_books(operator.database)

    told = with_operator(check)
    if told is not None:
        complain(told.sentence)
        raise typer.Exit(1)
    say("The books are right.")
