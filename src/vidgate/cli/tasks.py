"""`vidgate task …`."""

import asyncio
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidgate.cli.documents import act_document, attempt_document, task_document
from vidgate.cli.output import JsonOption, complain, print_fields, print_json, print_table
from vidgate.cli.running import ReasonOption, author, parse_moment, parse_span, with_operator
from vidgate.exceptions import TaskNotFoundError
from vidgate.models.ids import TASK_PREFIX, parse_public_id
from vidgate.models.tasks import TaskFilter, TaskSnapshot, TaskStatus

if TYPE_CHECKING:
    from vidgate.operators import OperatorContext

__all__ = ["commands"]

_MOST = 1_000_000
_WAIT_SECONDS = 1.0
"""Between two looks at a task that is waited for."""

_LOOPBACK = IPv4Network("127.0.0.0/8")

commands = typer.Typer()

_Task = Annotated[str, typer.Argument(metavar="ID", help="Such as task_….")]


@commands.command("list")
def list_tasks(
    *,
    limit: Annotated[
        int, typer.Option(min=0, max=_MOST, help="How many finished ones, at most.")
    ] = 100,
    statuses: Annotated[
        list[TaskStatus] | None, typer.Option("--status", help="Only those; repeat.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="As the client asked for it.")] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME_OR_ID", help="Whose.")] = None,
    user: Annotated[str | None, typer.Option(help="The end user that the client named.")] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="NAME_OR_ID", help="One that was tried for it.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_moment,
            metavar="SPAN_OR_TIME",
            help="Made since then: 12h or 7d ago, 2027-01-31, or 2027-01-31T12:00 (UTC).",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List every unfinished task, and the latest of the others."""

    async def read(operator: "OperatorContext") -> list[dict[str, Any]]:
        provisioning = operator.provisioning
        only = TaskFilter(
            statuses=tuple(statuses or ()),
            model=model,
            user=user,
            account_id=(await provisioning.account(account)).id if account else None,
            channel_id=(await provisioning.channel(channel)).id if channel else None,
            made_since=since,
        )
        names = await _account_names(operator)
        found = await operator.tasks.overview(limit=limit, only=only)
        return [task_document(task, names) for task in found]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
    else:
        columns = ("id", "status", "progress", "model", "account", "created_at", "completed_at")
        print_table(columns, documents)


@commands.command("show")
def show_task(task_id: _Task, *, as_json: JsonOption = False) -> None:
    """Show a task, every attempt at it, and what was done to it by hand."""

    async def read(operator: "OperatorContext") -> dict[str, Any]:
        task = await _snapshot(operator, task_id)
        channels = {channel.id: channel for channel in await operator.channels.every()}
        attempts = await operator.attempts.of_task(task.id)
        return {
            **task_document(task, await _account_names(operator)),
            "attempts": [attempt_document(attempt, channels) for attempt in attempts],
            "acts": [act_document(act) for act in await operator.acts.of(task.public_id)],
        }

    _print(with_operator(read), as_json=as_json)


@commands.command("wait")
def wait_for_task(
    task_id: _Task,
    *,
    timeout: Annotated[
        str | None, typer.Option(metavar="SPAN", help="How long, such as 10m; without: for ever.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Wait until a task is finished, and show it; exit code 1 unless it succeeded."""
    from vidgate.cli.progress import Progress

    span = parse_span(timeout).total_seconds() if timeout else None

    async def wait(operator: "OperatorContext") -> dict[str, Any]:
        with Progress() as progress:
            task = await _snapshot(operator, task_id)
            try:
                async with asyncio.timeout(span):
                    while not task.status.is_final:
                        progress.show(task.status.value, task.progress)
                        await asyncio.sleep(_WAIT_SECONDS)
                        task = await _snapshot(operator, task_id)
            except TimeoutError:
                pass
        return task_document(task, await _account_names(operator))

    document = with_operator(wait)
    _print(document, as_json=as_json)
    if document["status"] != TaskStatus.SUCCEEDED:
        if not document["completed_at"]:
            complain("The task is not finished yet.")
        raise typer.Exit(1)


@commands.command("fetch")
def fetch_task(
    task_id: _Task,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; else the task's id and .mp4.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Download the video of a finished task, by a new link where the old one has ended."""
    from vidgate.api.webhook_bodies import WebhookBodies
    from vidgate.cli.demo import read_demo_token
    from vidgate.cli.downloading import draft_of, require_free
    from vidgate.factory import open_tools
    from vidgate.services.content.source import Variant

    path = output or Path(f"{task_id}.mp4")
    if not force:
        require_free(path)

    async def fetch(operator: "OperatorContext") -> None:
        task = await _snapshot(operator, task_id)
        settings = operator.settings
        if settings.is_embedded and read_demo_token(settings.data_dir) is not None:
            # The videos of a demo are on this machine.
            networks = (*settings.allowed_networks, _LOOPBACK)
            settings = settings.model_copy(update={"allowed_networks": networks})
        async with open_tools(
            replace(operator, settings=settings), webhook_bodies=WebhookBodies
        ) as tools:
            with await tools.content.find(task_id, task.account_id, Variant.VIDEO) as source:
                stream = await source.open(None)
                try:
                    with draft_of(path, force=force) as write:
                        while piece := await stream.read():
                            write(piece)
                finally:
                    await stream.aclose()

    with_operator(fetch)
    typer.echo(path)


@commands.command("cancel")
def cancel_task(
    task_id: _Task, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Cancel a task: free before it is sent, afterwards where its provider can."""
    from vidgate.api.webhook_bodies import WebhookBodies
    from vidgate.factory import open_tools

    async def cancel(operator: "OperatorContext") -> dict[str, Any]:
        async with open_tools(operator, webhook_bodies=WebhookBodies) as tools:
            task = await tools.repairs.cancel(task_id, author(reason))
        return task_document(task, await _account_names(operator))

    _print(with_operator(cancel), as_json=as_json)


@commands.command("delete")
def delete_task(
    task_id: _Task, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Hide a finished task from its client; it stays in the books."""
    from vidgate.api.webhook_bodies import WebhookBodies
    from vidgate.factory import open_tools

    async def delete(operator: "OperatorContext") -> dict[str, Any]:
        async with open_tools(operator, webhook_bodies=WebhookBodies) as tools:
            task = await tools.repairs.delete(task_id, author(reason))
        return task_document(task, await _account_names(operator))

    _print(with_operator(delete), as_json=as_json)


async def _snapshot(operator: "OperatorContext", task_id: str) -> TaskSnapshot:
    identifier = parse_public_id(TASK_PREFIX, task_id)
    task = await operator.tasks.snapshot(identifier) if identifier else None
    if task is None:
        raise TaskNotFoundError("There is no task of that id; `vidgate task list` shows them.")
    return task


async def _account_names(operator: "OperatorContext") -> dict[Any, str]:
    return {account.id: account.name for account in await operator.accounts.every_account()}


def _print(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    parts = [*document.pop("attempts", ()), *document.pop("acts", ())]
    document.pop("outputs")
    sentences = [warning["message"] for warning in document["warnings"]]
    document["warnings"] = " ".join(sentences) or None
    print_fields(document)
    for part in parts:
        typer.echo()
        print_fields(part)
