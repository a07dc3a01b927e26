"""`vidgate task …`."""

from typing import Annotated, Any

import typer

from vidgate.cli.documents import attempt_document, task_document
from vidgate.cli.output import JsonOption, print_fields, print_json, print_table
from vidgate.cli.running import with_operator
from vidgate.exceptions import TaskNotFoundError
from vidgate.models.ids import parse_public_id
from vidgate.operators import OperatorContext

__all__ = ["commands"]

_MOST = 1_000_000

commands = typer.Typer()


@commands.command("list")
def list_tasks(
    *,
    limit: Annotated[
        int, typer.Option(min=0, max=_MOST, help="How many finished ones, at most.")
    ] = 100,
    as_json: JsonOption = False,
) -> None:
    """List every unfinished task, and the latest of the others."""

    async def read(operator: OperatorContext) -> list[dict[str, Any]]:
        names = {account.id: account.name for account in await operator.accounts.accounts()}
        return [task_document(task, names) for task in await operator.tasks.overview(limit=limit)]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
    else:
        columns = ("id", "status", "progress", "model", "account", "created_at", "completed_at")
        print_table(columns, documents)


@commands.command("show")
def show_task(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="Such as task_….")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show a task and every attempt at it."""
    identifier = parse_public_id("task_", task_id)

    async def read(operator: OperatorContext) -> dict[str, Any]:
        task = identifier and await operator.tasks.snapshot(identifier)
        if not identifier or not task:
            raise TaskNotFoundError("There is no task of that id; `vidgate task list` shows them.")
        names = {account.id: account.name for account in await operator.accounts.accounts()}
        channels = {channel.id: channel for channel in await operator.channels.every()}
        attempts = await operator.attempts.of_task(identifier)
        return {
            **task_document(task, names),
            "attempts": [attempt_document(attempt, channels) for attempt in attempts],
        }

    document = with_operator(read)
    if as_json:
        print_json(document)
        return
    attempts = document.pop("attempts")
    document.pop("outputs")
    sentences = [warning["message"] for warning in document["warnings"]]
    document["warnings"] = " ".join(sentences) or None
    print_fields(document)
    for attempt in attempts:
        typer.echo()
        print_fields(attempt)
