"""`vidgate task …`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from vidgate.cli.documents import (
    act_document,
    attempt_document,
    delivery_document,
    task_document,
    try_document,
)
from vidgate.cli.output import JsonOption, complain, print_fields, print_json, print_table, say
from vidgate.cli.running import ReasonOption, author, parse_moment, parse_span, with_operator
from vidgate.cli.timeline import timeline
from vidgate.exceptions import TaskNotFoundError
from vidgate.models.accounts import Sight
from vidgate.models.acts import Act
from vidgate.models.ids import TASK_PREFIX, parse_public_id
from vidgate.models.tasks import TaskFilter, TaskSnapshot, TaskStatus
from vidgate.models.webhooks import DeliveryQuery

if TYPE_CHECKING:
    from vidgate.factory import Services
    from vidgate.operators import OperatorContext

__all__ = ["commands"]

_T = TypeVar("_T")

_MOST = 1_000_000
_WAIT_SECONDS = 1.0
"""Between two looks at a task that is waited for."""

_DELIVERIES = 100
"""Of one task, the latest; there is one for each endpoint and event."""

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
    stuck: Annotated[
        bool,
        typer.Option(
            "--stuck", help="Unfinished for more than four times what its model usually takes."
        ),
    ] = False,
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
            stuck_at=datetime.now(UTC) if stuck else None,
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
    """Show a task, every attempt at it, and all that happened to it in the order of time."""

    async def read(operator: "OperatorContext") -> dict[str, Any]:
        task = await _snapshot(operator, task_id)
        channels = {channel.id: channel for channel in await operator.channels.every()}
        attempts = await operator.attempts.of_task(task.id)
        late = await operator.attempts.late_results(task.id)
        found = await operator.deliveries.page(DeliveryQuery(task_id=task.id, limit=_DELIVERIES))
        deliveries = [(one, await operator.deliveries.tries(one.id)) for one in reversed(found)]
        acts = await operator.acts.of(task.public_id, *(one.public_id for one in found))
        return {
            **task_document(task, await _account_names(operator)),
            "attempts": [
                attempt_document(attempt, channels, late.get(attempt.id)) for attempt in attempts
            ],
            "deliveries": [
                {**delivery_document(one), "tried": [try_document(tried) for tried in tries]}
                for one, tries in deliveries
            ],
            "acts": [act_document(act) for act in acts],
            "timeline": timeline(
                task,
                attempts=attempts,
                channels=channels,
                asks=await operator.attempts.asks(task.id),
                late=late,
                deliveries=deliveries,
                acts=acts,
            ),
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
            with await tools.content.find(task_id, Sight(task.account_id), Variant.VIDEO) as source:
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
    task_id: _Task,
    *,
    video: Annotated[
        int | None, typer.Option("--output", min=0, help="One of its videos, from 0.")
    ] = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Also what runs on: it is charged and not given out.")
    ] = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a task: free before it is sent, afterwards where its provider can."""
    from vidgate.api.webhook_bodies import WebhookBodies
    from vidgate.factory import open_tools

    async def cancel(operator: "OperatorContext") -> dict[str, Any]:
        async with open_tools(operator, webhook_bodies=WebhookBodies) as tools:
            task = await tools.repairs.cancel(
                task_id, author(reason), output=video, discard=discard
            )
        return task_document(task, await _account_names(operator))

    _print(with_operator(cancel), as_json=as_json)


@commands.command("poll-now")
def poll_task(task_id: _Task, *, reason: ReasonOption = None, as_json: JsonOption = False) -> None:
    """Have the provider of an unfinished task asked at once."""

    async def poll(services: "Services") -> tuple[TaskSnapshot, int]:
        return await services.repairs.poll_now(task_id, author(reason))

    jobs = _repair(poll, as_json=as_json)
    if not as_json:
        say(f"{jobs} attempts are due now." if jobs else "A worker is at it at this moment.")


@commands.command("fail")
def fail_task(task_id: _Task, *, reason: ReasonOption = None, as_json: JsonOption = False) -> None:
    """End an unfinished task; its job is followed on for the books."""

    async def fail(services: "Services") -> tuple[TaskSnapshot, None]:
        return await services.repairs.fail(task_id, author(reason)), None

    _repair(fail, as_json=as_json)


@commands.command("attach-result")
def attach_result(
    task_id: _Task,
    url: Annotated[str, typer.Argument(help="Of the video.")],
    *,
    output: Annotated[
        int | None,
        typer.Option(min=0, help="From 0; without: the first that has none."),
    ] = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an unfinished task its video; one that is final keeps the link for its operator."""

    async def attach(services: "Services") -> tuple[TaskSnapshot, bool]:
        before = await _snapshot(services.operator, task_id)
        task, _ = await services.repairs.attach_result(
            task_id, url, author(reason), position=output
        )
        return task, before.status.is_final

    is_kept = _repair(attach, as_json=as_json)
    if is_kept and not as_json:
        say("The task is final: its attempt keeps the link, neither state nor charge changes.")


@commands.command("resubmit")
def resubmit_task(
    task_id: _Task,
    *,
    even_if_paid_twice: Annotated[
        bool,
        typer.Option(
            "--even-if-paid-twice", help="Although the first one may have made a job as well."
        ),
    ] = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new task of the same request, with a price of its own, and show it."""

    async def resubmit(services: "Services") -> tuple[TaskSnapshot, None]:
        made = await services.repairs.resubmit(
            task_id, author(reason), even_if_paid_twice=even_if_paid_twice
        )
        return made, None

    _repair(resubmit, as_json=as_json)


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


def _repair(
    action: "Callable[[Services], Awaitable[tuple[TaskSnapshot, _T]]]", *, as_json: bool
) -> _T:
    """Do one thing to a task, print the task, and return what else came of it."""
    from vidgate.api.webhook_bodies import WebhookBodies
    from vidgate.factory import open_tools

    async def act(operator: "OperatorContext") -> tuple[dict[str, Any], _T]:
        async with open_tools(operator, webhook_bodies=WebhookBodies) as services:
            task, told = await action(services)
        return task_document(task, await _account_names(operator)), told

    document, told = with_operator(act)
    _print(document, as_json=as_json)
    return told


@commands.command("prune")
def prune_tasks(
    *,
    before: Annotated[
        datetime,
        typer.Option(
            parser=parse_moment,
            metavar="SPAN_OR_TIME",
            help="Months that ended by then: 400d ago, or 2027-01-01 (UTC).",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show them.")] = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop whole months of tasks; the books and the acts are kept."""
    from vidgate.db.months import MonthStore

    async def prune(operator: "OperatorContext") -> list[dict[str, Any]]:
        months = MonthStore(operator.database)
        found = await months.old(before)
        dropped = set() if dry_run else {one.name for one in await months.drop(before)}
        if dropped:
            told = {one.month.name: one.count for one in found if one.month.name in dropped}
            act = Act(author=author(reason), name="task.prune", subject="tasks", before=told)
            await operator.acts.write(act)
        return [
            {
                "ends_at": int(one.month.ends_at.timestamp()),
                "tasks": one.count,
                "held": one.is_held,
                "dropped": one.month.name in dropped,
            }
            for one in found
        ]

    rows = with_operator(prune)
    if as_json:
        print_json(rows)
    elif rows:
        print_table(("ends_at", "tasks", "held", "dropped"), rows)
    else:
        complain("no month of tasks ended by then")


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
    attempts = document.pop("attempts", ())
    happened = document.pop("timeline", ())
    for name in ("outputs", "deliveries", "acts"):
        document.pop(name, None)
    sentences = [warning["message"] for warning in document["warnings"]]
    document["warnings"] = " ".join(sentences) or None
    print_fields(document)
    for attempt in attempts:
        typer.echo()
        print_fields(attempt)
    if happened:
        typer.echo()
        print_table(("at", "what"), happened)
