"""The town under a storm: gateways that are hurt, clients that go on all the same."""

import asyncio
import itertools
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
from aiohttp import web
from tests.faults.books import Answer, Books, Sighting
from tests.faults.schedule import Event, Order, Schedule
from tests.support.database import create_migrated_database
from tests.support.processes import Process, Town, free_port, open_town, wait_until
from tests.support.receiver import Receiver, open_receiver

from vidgate.db.deliveries import DeliveryStore
from vidgate.db.embedded import EmbeddedServer
from vidgate.db.ledger_check import check_books
from vidgate.exceptions import DatabaseUnavailableError
from vidgate.models.accounts import DEFAULT_ACCOUNT
from vidgate.models.acts import ITSELF
from vidgate.models.channels import ChannelState, NewChannel
from vidgate.models.limits import LimitChange, Measure, Period, Scope
from vidgate.models.webhooks import DeliveryQuery, DeliveryStatus
from vidgate.sandbox.registry import SANDBOX_KEYS

__all__ = ["own_server", "weather"]

_CALM_SECONDS: Final = 180.0
"""How long after a storm the last task may take; leases and graces take 20 to 50 s of it."""

_OPERATOR_SECONDS: Final = 3.0
"""Between two looks of the operator."""

_PAUSE: Final = 0.7
"""Between two looks of a reader."""

_WAIT: Final = 2
"""Seconds that a request waits for something new, where it does."""

_PATIENCE: Final = 15.0
"""For one answer: a gateway may be stopped."""

_LATER: Final = frozenset({429, 503})
"""Nothing was done; each dialect has its own word for it."""

_NATIVE: Final = {
    "newapi": "/v1/video/generations",
    "openai": "/v1/videos",
    "kling": "/kling/v1/videos/text2video",
    "jimeng": "/jimeng?Action=CVSync2AsyncSubmitTask&Version=2022-08-31",
    "vidu": "/vidu/ent/v2/text2video",
}
_VARIABLES: Final = {
    "VIDGATE_SUBMIT_TIMEOUT": "3",
    "VIDGATE_SUBMIT_WAIT": "3",
    "VIDGATE_SHUTDOWN_GRACE": "5",
    "VIDGATE_PRICES": "shipped",
    "VIDGATE_UNPRICED": "free",
    "VIDGATE_CURRENCY_RATES": "CNY=7.1",
}
_LIMITS: Final = tuple(
    LimitChange(measure=measure, period=period, limit=10**12)
    for measure, period in (
        (Measure.REQUESTS, Period.MINUTE),
        (Measure.IN_FLIGHT, Period.AT_ONCE),
        (Measure.TASKS, Period.DAY),
        (Measure.SPEND, Period.TOTAL),
    )
)
"""Far away: nobody is refused, and everything is counted."""

_CUT: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class OwnServer:
    """A PostgreSQL of the storm's own. What it says to be stored is stored."""

    def __init__(self, server: EmbeddedServer, folder: Path, url: str) -> None:
        self._server = server
        self._pid_file = folder / "postgres" / "postmaster.pid"
        self.url = url

    async def restart(self, away: float) -> None:
        """Stop it as a crash does, and start it again after a while."""
        os.kill(int(self._pid_file.read_text().split()[0]), signal.SIGQUIT)
        await asyncio.sleep(away)
        await wait_until(lambda: asyncio.to_thread(self._server.revive), seconds=90)

    async def cut(self) -> None:
        """Cut every connection."""
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(self.url, timeout=5)
            try:
                await connection.execute(_CUT)
            finally:
                await connection.close()


@asynccontextmanager
async def own_server() -> AsyncIterator[OwnServer]:
    """Run a PostgreSQL with a migrated database."""
    # Not in pytest's own directory, which is closed to the user that the server runs as under root.
    folder = Path(tempfile.mkdtemp(prefix="vidgate-faults-"))
    server = await asyncio.to_thread(EmbeddedServer.start, folder)
    try:
        yield OwnServer(server, folder, await create_migrated_database(server.url))
    finally:
        await asyncio.to_thread(server.release)
        shutil.rmtree(folder)


async def weather(schedule: Schedule, server: OwnServer) -> Books:
    """Let a storm pass, wait until everything is final, and return what was seen."""
    ports = [free_port() for _ in range(schedule.gateways)]
    async with (
        open_receiver() as receiver,
        open_town(
            server.url,
            sandbox={"speed": 20, "latency_seconds": 0.02},
            VIDGATE_PUBLIC_URL=f"http://127.0.0.1:{ports[0]}",
            **_VARIABLES,
        ) as town,
    ):
        storm = _Storm(schedule, server, receiver, town, ports)
        await storm.prepare()
        operating = asyncio.create_task(storm.operate())
        try:
            _say("it begins")
            await storm.blow()
            _say("it is over")
            await storm.calm()
            _say("all is calm")
        finally:
            operating.cancel()
            storm.wake()
        await storm.close_books()
        return storm.books


def _say(news: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {news}", flush=True)


class _Storm:
    def __init__(
        self,
        schedule: Schedule,
        server: OwnServer,
        receiver: Receiver,
        town: Town,
        ports: list[int],
    ) -> None:
        self.books = Books(schedule.orders)
        self._schedule = schedule
        self._server = server
        self._receiver = receiver
        self._town = town
        self._ports = ports
        self._gateways: list[Process] = []
        self._hurting = [asyncio.Lock() for _ in ports]
        self._starting = asyncio.Lock()
        self._chance = random.Random(schedule.seed)
        self._clients = [
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {town.token}"},
                timeout=_PATIENCE,
                limits=httpx.Limits(max_connections=None),
            )
            for port in ports
        ]
        self._readers: list[asyncio.Task[None]] = []
        self._deliveries = DeliveryStore(town.operator.database)
        self._ends = 0.0

    async def prepare(self) -> None:
        """Start the gateways, and a way out for one provider and a bottle-neck for another."""
        base_url = f"{self._town.sandbox.base_url}".rstrip("/")
        await self._town.operator.provisioning.add_channel(
            NewChannel(
                name="kling-spare",
                provider="kling",
                key=SANDBOX_KEYS["kling"],
                base_url=f"{base_url}/kling",
                priority=-1,
            )
        )
        await self._town.operator.provisioning.change_channel("vidu", {"max_concurrency": 6})
        self._gateways = list(
            await asyncio.gather(*(self._town.gateway(port=port) for port in self._ports))
        )
        for channel in await self._town.operator.channels.all():
            await self._town.operator.limits.change(Scope.CHANNEL, channel.id, _LIMITS[2:], ITSELF)
        account = await self._town.operator.provisioning.account(DEFAULT_ACCOUNT)
        await self._town.operator.limits.change(Scope.ACCOUNT, account.id, _LIMITS, ITSELF)
        answer = await self._clients[0].get("/v1/webhooks/default/secret")
        self.books.secret = answer.json()["key"]

    async def blow(self) -> None:
        """Follow the schedule to its end."""
        began = time.monotonic()
        self._ends = began + self._schedule.seconds + 2 * _CALM_SECONDS
        async with asyncio.TaskGroup() as group:
            for order in self._schedule.orders:
                group.create_task(self._at(began + order.at, self._client_of(order)))
            for event in self._schedule.events:
                group.create_task(self._at(began + event.at, self._happen(event)))
            group.create_task(self._at(began + self._schedule.seconds, self._end_faults()))

    async def operate(self) -> None:
        """Put channels back, as an operator does; the pauses of a breaker grow to minutes."""
        channels = self._town.operator.channel_states
        while True:
            with suppress(DatabaseUnavailableError):
                for channel_id, health in (await channels.all()).items():
                    if health.state is not ChannelState.OK:
                        await channels.put_back(channel_id, datetime.now(UTC))
            await asyncio.sleep(_OPERATOR_SECONDS)

    async def calm(self) -> None:
        """Wait until every task is final and every webhook is delivered, or time is up."""
        self._ends = time.monotonic() + _CALM_SECONDS
        await asyncio.gather(*self._readers)  # they end by themselves
        while time.monotonic() < self._ends:
            pending = [
                one
                for status in (DeliveryStatus.PENDING, DeliveryStatus.PARKED)
                for one in await self._deliveries.page(DeliveryQuery(status=status, limit=1000))
            ]
            if not pending:
                return
            for one in pending:
                # Its schedule takes days. So an operator sends it again.
                if one.status is DeliveryStatus.PARKED or one.tries > 1:
                    await self._deliveries.redeliver(one.id, datetime.now(UTC))
            await asyncio.sleep(1)

    def wake(self) -> None:
        """Let no process stay stopped: it could not be ended."""
        for gateway in self._gateways:
            if gateway.running.returncode is None:
                gateway.running.send_signal(signal.SIGCONT)

    async def close_books(self) -> None:
        """Write down what is left when all is over."""
        for gateway in range(len(self._gateways)):
            await asyncio.gather(
                *(
                    self._look(gateway, task, f"{_NATIVE['newapi']}/{task}")
                    for task in self.books.accepted()
                )
            )
        for client in self._clients:
            await client.aclose()
        self.books.exits += await asyncio.gather(*(one.stop() for one in self._gateways))
        operator = self._town.operator
        self.books.ledger = await self._town.ledger()
        for task in await operator.tasks.overview(limit=100_000):
            self.books.tasks[task.public_id] = task
            self.books.attempts[task.public_id] = await operator.attempts.of_task(task.id)
        self.books.received = self._receiver.received
        wrong = await check_books(operator.database)
        self.books.imbalance = wrong.sentence if wrong else ""

    # What goes wrong

    async def _at(self, moment: float, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.sleep(max(0.0, moment - time.monotonic()))
        await work

    async def _happen(self, event: Event) -> None:
        match event.kind:
            case "kill":
                await self._replace(event.gateway, lambda gateway: gateway.kill())
            case "terminate":
                await self._replace(event.gateway, self._terminate)
            case "stop":
                await self._stop(event)
            case "restart":
                async with self._starting:
                    await self._server.restart(event.seconds)
            case "cut":
                await self._server.cut()
            case "fault":
                answer = await self._town.sandbox.post("/_sandbox/faults", json=event.fault)
                assert answer.status_code == 200, answer.text
            case "forge":
                await self._forge(event.gateway)
            case _:
                raise NotImplementedError(event.kind)

    async def _replace(self, number: int, end: Callable[[Process], Awaitable[object]]) -> None:
        """End a gateway and start another in its place."""
        async with self._hurting[number]:
            await end(self._gateways[number])
            async with self._starting:
                self._gateways[number] = await self._start(number)

    async def _terminate(self, gateway: Process) -> None:
        self.books.exits.append(await gateway.stop())

    async def _start(self, number: int) -> Process:
        """Start a gateway, as its supervisor would: again, where its database was cut off."""
        try:
            return await self._town.gateway(port=self._ports[number])
        except AssertionError:
            return await self._town.gateway(port=self._ports[number])

    async def _stop(self, event: Event) -> None:
        async with self._hurting[event.gateway]:
            running = self._gateways[event.gateway].running
            running.send_signal(signal.SIGSTOP)
            await asyncio.sleep(event.seconds)
            running.send_signal(signal.SIGCONT)

    async def _end_faults(self) -> None:
        answer = await self._town.sandbox.delete("/_sandbox/faults")
        assert answer.status_code == 200, answer.text

    async def _forge(self, gateway: int) -> None:
        """Call back in a provider's name, with a lie, at an address that was given to it."""
        jobs = [job for job in await self._town.ledger() if job["body"].get("callback_url")]
        if not jobs:
            return
        job = self._chance.choice(jobs)
        path = httpx.URL(job["body"]["callback_url"]).path
        lie = {"task_status": "failed", "state": "failed", "id": job["id"], "task_id": job["id"]}
        await self._ask(gateway, "POST", path, json=lie)

    # What clients do

    async def _client_of(self, order: Order) -> None:
        if order.refused_webhooks:
            self._receiver.answers[f"/{order.label}"] = [
                *(web.Response(status=503) for _ in range(order.refused_webhooks)),
                web.Response(),
            ]
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            placed = group.create_task(self._place(order, order.gateway))
            for number, after in enumerate(order.repeated_after, 1):
                group.create_task(self._at(began + after, self._repeat(order, number)))
            task = await placed
            if task is not None and order.cancelled_after is not None:
                await asyncio.sleep(order.cancelled_after)
                await self._cancel(order, task)

    async def _place(self, order: Order, gateway: int) -> str | None:
        """Ask until there is an answer, each time at the next gateway.

        Returns:
            The id of the task, `None` where it was refused.
        """
        while time.monotonic() < self._ends:
            answer = await self._ask(
                gateway,
                "POST",
                _NATIVE[order.dialect],
                json=self._body(order),
                headers={"Idempotency-Key": order.label}
                | ({"Prefer": f"wait={_WAIT}"} if order.waits else {}),
            )
            if answer is not None and answer.status_code not in _LATER:
                task = self.books.placed(order.label, answer.status_code, answer.text)
                if task is not None:
                    self._follow(order, task)
                return task
            gateway = (gateway + 1) % len(self._clients)
            await asyncio.sleep(0.3)
        return None

    async def _repeat(self, order: Order, number: int) -> None:
        await self._place(order, (order.gateway + number) % len(self._clients))

    async def _cancel(self, order: Order, task: str) -> None:
        path = f"{_NATIVE['newapi']}/{task}/cancel" + "?discard=true" * order.discards
        gateway = order.gateway
        while time.monotonic() < self._ends:
            answer = await self._ask(gateway, "POST", path)
            if answer is not None and answer.status_code not in _LATER:
                return
            gateway = (gateway + 1) % len(self._clients)
            await asyncio.sleep(0.3)

    def _body(self, order: Order) -> dict[str, Any]:
        model = {"kling": "model_name", "jimeng": "req_key"}.get(order.dialect, "model")
        body: dict[str, Any] = {model: order.model, "prompt": order.prompt}
        if order.n > 1:
            body["n"] = order.n
        if order.has_webhook:
            body["callback_url"] = f"{self._receiver.url}/{order.label}"
        return body

    def _follow(self, order: Order, task: str) -> None:
        """Read a task at every gateway until it is final: in several dialects, as events too."""
        if self.books.is_followed(task):
            return
        paths = [f"{_NATIVE[dialect]}/{task}" for dialect in ("newapi", "openai")]
        paths += [f"{path}?wait={_WAIT}" for path in paths]
        if order.is_streamed:
            self._readers.append(asyncio.create_task(self._listen(task, order.gateway)))
        if order.dialect == "kling":
            paths.append(f"{_NATIVE['kling']}/{task}")
        elif order.dialect == "vidu":
            paths.append(f"/vidu/ent/v2/tasks/{task}/creations")
        self._readers.append(asyncio.create_task(self._read(task, paths)))

    async def _read(self, task: str, paths: list[str]) -> None:
        while time.monotonic() < self._ends:
            for gateway in range(len(self._clients)):
                sighting = await self._look(gateway, task, self._chance.choice(paths))
                if sighting is not None and sighting.is_final:
                    return
            await asyncio.sleep(_PAUSE)

    async def _look(self, gateway: int, task: str, path: str) -> Sighting | None:
        answer = await self._ask(gateway, "GET", path)
        if answer is None or answer.status_code in _LATER:
            return None
        return self.books.seen(
            task, f"gateway {gateway}", status=answer.status_code, text=answer.text
        )

    async def _listen(self, task: str, gateway: int) -> None:
        """Listen to the events of a task; where the stream breaks off, to those of the next."""
        for number in itertools.count(1):
            reader = f"stream {number} at gateway {gateway}"
            with suppress(httpx.TransportError):
                if await self._hear(task, gateway, reader):
                    return
            if time.monotonic() > self._ends:
                return
            gateway = (gateway + 1) % len(self._clients)
            await asyncio.sleep(_PAUSE)

    async def _hear(self, task: str, gateway: int, reader: str) -> bool:
        """Note the states that one stream tells; whether the last is final."""
        path = f"{_NATIVE['newapi']}/{task}/events"
        async with self._clients[gateway].stream("GET", path) as answer:
            self.books.answered(Answer("GET", path, answer.status_code, ""))
            if answer.status_code in _LATER:
                return False
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    sighting = self.books.seen(
                        task,
                        reader,
                        status=answer.status_code,
                        text=line.removeprefix("data: "),
                    )
                    if sighting is not None and sighting.is_final:
                        return True
        return False

    async def _ask(
        self, gateway: int, method: str, path: str, **options: Any
    ) -> httpx.Response | None:
        """Put one request; `None` where no answer came."""
        try:
            answer = await self._clients[gateway].request(method, path, **options)
        except httpx.TransportError:
            return None
        self.books.answered(Answer(method, path, answer.status_code, answer.text))
        return answer
