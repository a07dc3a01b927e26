"""`vidgate webhook …`."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from vidgate.cli.documents import act_document, delivery_document, endpoint_document
from vidgate.cli.output import JsonOption, print_json, print_one, print_table, say
from vidgate.cli.running import OverlapOption, ReasonOption, author, parse_moment, with_operator
from vidgate.constants import WEBHOOK_OVERLAP
from vidgate.exceptions import ConfigurationError
from vidgate.models.accounts import DEFAULT_ACCOUNT, Sight
from vidgate.models.ids import ENDPOINT_PREFIX, TASK_PREFIX, parse_public_id
from vidgate.models.webhooks import DeliveryQuery, DeliveryStatus, EventType, WebhookEndpoint

if TYPE_CHECKING:
    from vidgate.factory import Services
    from vidgate.operators import OperatorContext

__all__ = ["commands"]

_T = TypeVar("_T")

_MOST = 10_000
_FINAL = [EventType.COMPLETED, EventType.FAILED, EventType.CANCELLED]

commands = typer.Typer()

_Endpoint = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="As `webhook list` shows it.")]
_Events = Annotated[
    list[EventType] | None, typer.Option("--event", help="What it is told of; repeat.")
]


@commands.command("create")
@commands.command("add", hidden=True)
def create_endpoint(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    url: Annotated[str, typer.Option(help="Where webhooks go.")],
    events: _Events = None,
    account: Annotated[str, typer.Option(help="Whose tasks it is told of.")] = DEFAULT_ACCOUNT,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an endpoint and print the secret that signs, this once."""

    async def create(services: "Services") -> tuple[dict[str, Any], str]:
        provisioning = services.operator.provisioning
        if account == DEFAULT_ACCOUNT:
            owner = await provisioning.ensure_account(account)
        else:
            owner = await provisioning.account(account)
        endpoint, secret = await services.webhook_endpoints.create(
            Sight(owner.id), name=name, url=url, event_types=events or _FINAL, by=author(reason)
        )
        return endpoint_document(endpoint, owner.name), secret

    document, secret = _with_services(create)
    _print_secret(document, secret, as_json=as_json)


@commands.command("list")
def list_endpoints(
    *,
    account: Annotated[str | None, typer.Option(metavar="NAME_OR_ID", help="Whose.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the endpoints, newest first."""

    async def read(operator: "OperatorContext") -> list[dict[str, Any]]:
        owner = (await operator.provisioning.account(account)).id if account else None
        names = {one.id: one.name for one in await operator.accounts.every_account()}
        return [
            endpoint_document(endpoint, names[endpoint.account_id])
            for endpoint in await operator.webhooks.every()
            if owner in (None, endpoint.account_id)
        ]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
    else:
        columns = ("id", "name", "account", "url", "event_types", "enabled", "created_at")
        print_table(columns, documents)


@commands.command("show")
def show_endpoint(endpoint: _Endpoint, *, as_json: JsonOption = False) -> None:
    """Show an endpoint, and who changed what of it."""

    async def read(services: "Services") -> dict[str, Any]:
        found = await services.webhook_endpoints.find(endpoint)
        acts = await services.operator.acts.of(found.public_id)
        return {
            **await _document(services, found),
            "signing_secret_hint": found.secret_hint,
            "acts": [act_document(act) for act in acts],
        }

    print_one(_with_services(read), as_json=as_json)


@commands.command("set")
def set_endpoint(
    endpoint: _Endpoint,
    *,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    url: Annotated[str | None, typer.Option(help="Where webhooks go.")] = None,
    events: _Events = None,
    enable: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Whether anything is sent; a change enables."),
    ] = None,
    rotate: Annotated[
        bool, typer.Option("--rotate-secret", help="Give it a new secret, and print that.")
    ] = False,
    overlap: OverlapOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an endpoint; what is not named stays."""
    changes = {"name": name, "url": url, "event_types": events}
    is_changed = enable is not None or any(value is not None for value in changes.values())
    if not (is_changed or rotate):
        raise typer.BadParameter("say what to change; `--help` lists it")

    async def change(services: "Services") -> tuple[dict[str, Any], str | None]:
        endpoints = services.webhook_endpoints
        found = await endpoints.find(endpoint)
        secret = None
        if is_changed:
            found = await endpoints.update(
                Sight(found.account_id),
                found.public_id,
                name=name,
                url=url,
                event_types=events,
                disabled_reason="Its operator disabled it." if enable is False else None,
                by=author(reason),
            )
        if rotate:
            found, secret = await endpoints.rotate_secret(
                Sight(found.account_id),
                found.public_id,
                overlap=WEBHOOK_OVERLAP if overlap is None else overlap,
                by=author(reason),
            )
        return await _document(services, found), secret

    document, secret = _with_services(change)
    if secret is None:
        print_one(document, as_json=as_json)
    else:
        _print_secret(document, secret, as_json=as_json)


@commands.command("delete")
@commands.command("remove", hidden=True)
def delete_endpoint(
    endpoint: _Endpoint, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Delete an endpoint; what is on its way to it is given up."""

    async def delete(services: "Services") -> dict[str, Any]:
        found = await services.webhook_endpoints.find(endpoint)
        await services.webhook_endpoints.remove(
            Sight(found.account_id), found.public_id, by=author(reason)
        )
        return await _document(services, found)

    print_one(_with_services(delete), as_json=as_json)


@commands.command("test")
def try_endpoint(
    endpoint: _Endpoint,
    *,
    event: Annotated[EventType, typer.Option(help="What it is told.")] = EventType.COMPLETED,
    as_json: JsonOption = False,
) -> None:
    """Send a test event at once; exit code 1 unless the endpoint takes it."""

    async def send(services: "Services") -> dict[str, Any]:
        found = await services.webhook_endpoints.find(endpoint)
        status = await services.webhook_endpoints.try_out(
            Sight(found.account_id), found.public_id, event.value
        )
        return {
            "object": "webhook_endpoint.test",
            "webhook_endpoint_id": found.public_id,
            "event_type": event.value,
            "status_code": status,
            "success": 200 <= status < 300,  # noqa: PLR2004 - what HTTP calls a success
        }

    document = _with_services(send)
    print_one(document, as_json=as_json)
    if not document["success"]:
        raise typer.Exit(1)


@commands.command("deliveries")
def list_deliveries(
    *,
    task: Annotated[str | None, typer.Option(metavar="ID", help="Such as task_….")] = None,
    status: Annotated[DeliveryStatus | None, typer.Option(help="Only those.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="NAME_OR_ID", help="Only what goes there.")
    ] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME_OR_ID", help="Whose.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many, at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List what was sent, or is to be, newest first; `task show` tells of every try."""
    task_id = None if task is None else parse_public_id(TASK_PREFIX, task)
    if task is not None and task_id is None:
        raise typer.BadParameter("write an id such as task_…", param_hint="'--task'")

    async def read(operator: "OperatorContext") -> list[dict[str, Any]]:
        query = DeliveryQuery(
            task_id=task_id,
            status=status,
            endpoint_id=await _endpoint_id(operator, endpoint) if endpoint else None,
            account_id=(await operator.provisioning.account(account)).id if account else None,
            limit=limit,
        )
        return [delivery_document(one) for one in await operator.deliveries.page(query)]

    documents = with_operator(read)
    if as_json:
        print_json(documents)
    else:
        columns = ("id", "task_id", "event", "status", "tries", "url", "due_at", "last_reason")
        print_table(columns, documents)


@commands.command("redeliver")
def redeliver(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="Such as evt_….")],
    *,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a webhook again, under the same id, from the beginning of its schedule."""

    async def again(services: "Services") -> dict[str, Any]:
        return delivery_document(await services.redelivering.one(delivery, author(reason)))

    print_one(_with_services(again), as_json=as_json)


@commands.command("recover")
def recover(
    endpoint: _Endpoint,
    *,
    since: Annotated[
        datetime,
        typer.Option(
            parser=parse_moment, metavar="SPAN_OR_TIME", help="12h or 7d ago, or 2027-01-31 (UTC)."
        ),
    ],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send everything again that an endpoint missed since then."""

    async def again(services: "Services") -> int:
        return await services.redelivering.since(endpoint, since, author(reason))

    document = {"object": "recovery", "endpoint": endpoint, "deliveries": _with_services(again)}
    print_one(document, as_json=as_json)


def _with_services(action: "Callable[[Services], Awaitable[_T]]") -> _T:
    from vidgate.api.webhook_bodies import WebhookBodies
    from vidgate.factory import open_tools

    async def act(operator: "OperatorContext") -> _T:
        async with open_tools(operator, webhook_bodies=WebhookBodies) as services:
            return await action(services)

    return with_operator(act)


async def _document(services: "Services", endpoint: WebhookEndpoint) -> dict[str, Any]:
    accounts = await services.operator.accounts.every_account()
    names = {account.id: account.name for account in accounts}
    return endpoint_document(endpoint, names[endpoint.account_id])


async def _endpoint_id(operator: "OperatorContext", name_or_id: str) -> Any:
    """Of which endpoint; also of a deleted one, by its id."""
    known = parse_public_id(ENDPOINT_PREFIX, name_or_id)
    if known is not None:
        return known
    named = [one.id for one in await operator.webhooks.every() if one.name == name_or_id]
    if len(named) != 1:
        raise ConfigurationError(
            f"There is not just one endpoint {name_or_id!r}; `vidgate webhook list` shows their "
            "ids."
        )
    return named[0]


def _print_secret(document: dict[str, Any], secret: str, *, as_json: bool) -> None:
    shown = {"id": document.pop("id"), "signing_secret": secret, **document}
    print_one(shown, as_json=as_json)
    if not as_json:
        say("The secret cannot be shown again.")
