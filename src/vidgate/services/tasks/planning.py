"""From what a client asks for to what is stored of it: checked, resolved, routed, translated."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from vidgate.config import Network
from vidgate.constants import QUEUE_WAIT_MOST
from vidgate.db.attempts import NewAttempt
from vidgate.db.clock import Clock
from vidgate.db.documents import write_request
from vidgate.db.tasks import NewTask
from vidgate.exceptions import (
    InvalidParameterError,
    PriceMissingError,
    UnsupportedParameterError,
)
from vidgate.models.accounts import Caller
from vidgate.models.channels import Channel
from vidgate.models.ids import DatedIds
from vidgate.models.money import Hold, Quote
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Provider, Translation
from vidgate.providers.field_meanings import CALLBACK_URL, QUEUE_WAIT, FieldMeanings
from vidgate.providers.transport.guard import UnsafeUrlError, check_url
from vidgate.services.attempts.maker import AttemptMaker
from vidgate.services.attempts.translation import facts_document, translate
from vidgate.services.attempts.warnings import warnings_of
from vidgate.services.channels.permissions import check_model, check_token
from vidgate.services.channels.routing import Router
from vidgate.services.money.prices import Prices
from vidgate.services.tasks.references import VideoNames

__all__ = ["Option", "Plan", "Planner", "Prepared"]

_MODEL_FIELDS = ("model_name", "model")
"""Members of `metadata` that name a model, the first one found wins."""

_MODEL_CHARACTERS = 200
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request whose own parts are in order, whichever channel it will run at.

    Attributes:
        request: With the model that is asked for, and the provider's ids for ours.
        echo: What the client gets back as it sent it.
        callback_url: Where it wants to be told, `None` for nowhere.
        queue_wait: How long it may wait for a place.
    """

    request: VideoRequest
    echo: Mapping[str, Any]
    callback_url: str | None
    queue_wait: timedelta


@dataclass(frozen=True, slots=True)
class Option:
    """One channel that a task could begin at."""

    attempt: NewAttempt
    translation: Translation


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be stored.

    Attributes:
        task: As the first option would make it.
        request: What its submit is made from.
        options: For each output, in the order to try them, one at least.
    """

    task: NewTask
    request: VideoRequest
    options: tuple[tuple[Option, ...], ...]

    @property
    def holds(self) -> list[Hold]:
        """The money that storing it holds for each output; empty without prices."""
        return self.task.holds([option.attempt for option in output] for output in self.options)


class Planner:
    """Makes of a request what can be stored. Nothing is written, and no provider is asked.

    Args:
        queue_wait: How long a task may wait for a place, unless its token or it says otherwise.
        allowed_networks: Private networks that a webhook may be in.
    """

    def __init__(
        self,
        *,
        router: Router,
        providers: Mapping[str, Provider],
        field_meanings: FieldMeanings,
        maker: AttemptMaker,
        names: VideoNames,
        clock: Clock,
        queue_wait: timedelta,
        prices: Prices,
        allowed_networks: tuple[Network, ...] = (),
    ) -> None:
        self._router = router
        self._providers = providers
        self._field_meanings = field_meanings
        self._maker = maker
        self._names = names
        self._clock = clock
        self._ids = DatedIds()
        self._queue_wait = queue_wait
        self._prices = prices
        self._allowed_networks = allowed_networks

    async def prepare(
        self, caller: Caller, request: VideoRequest, echo: Mapping[str, Any]
    ) -> Prepared:
        """Check what needs no channel, and take our own fields out of the vendor's.

        Args:
            caller: Who asks.
            request: As the dialect read it.
            echo: What the dialect gives back with the task; it wins over the echo fields.

        Raises:
            RequestError: Something about it is wrong.
        """
        check_token(caller, self._clock.now())
        model = _asked_model(request)
        callback_url = self._callback_url(request)
        queue_wait = _asked_queue_wait(request)
        if queue_wait is None:
            own_wait = caller.token.queue_wait
            queue_wait = self._queue_wait if own_wait is None else own_wait
        echoes = self._field_meanings.echoes
        own_echo = {name: value for name, value in request.metadata.items() if name in echoes}
        echo = {**own_echo, **echo}
        _check_echo(echo, echoes)
        own = {*_MODEL_FIELDS, CALLBACK_URL, QUEUE_WAIT}
        metadata = {key: value for key, value in request.metadata.items() if key not in own}
        request = replace(request, model=model, metadata=metadata)
        request = await self._names.resolve(request, caller.sight)
        return Prepared(request, echo, callback_url, queue_wait)

    async def plan(self, caller: Caller, prepared: Prepared, *, dialect: str) -> Plan:
        """Find channels that can honour a request, and write down what is to be stored.

        Raises:
            RequestError: There is no such channel, or none that the caller may use.
        """
        request = prepared.request
        channels = await self._channels(caller, request)
        translated, may_cost = await self._translated(request, channels)
        channel, translation = translated[0]
        now = self._clock.now()
        if request.is_heavy:
            document, inputs = await asyncio.to_thread(write_request, request)
        else:
            document, inputs = write_request(request)
        task = NewTask(
            id=self._ids.new(now),
            account_id=caller.account_id,
            token_id=caller.token.id,
            dialect=dialect,
            model=request.model,
            provider=channel.provider,
            upstream_model=translation.facts.model,
            document=document,
            inputs=inputs,
            details=translation.details,
            echo=prepared.echo,
            facts=facts_document(translation),
            warnings=warnings_of(request, translation),
            end_user=request.user,
            seed=_asked_seed(request),
            callback_url=prepared.callback_url,
            cancel_after=request.cancel_after,
            created_at=now,
            factor=self._prices.factor(caller.account_id),
            may_cost=may_cost,
            is_heavy=request.is_heavy,
        )

        def option(position: int, channel: Channel, translation: Translation) -> Option:
            attempt = self._maker.make(
                task_id=task.id,
                position=position,
                channel=channel,
                request=request,
                translation=translation,
                now=now,
                deadline_at=now + prepared.queue_wait,
            )
            return Option(attempt, translation)

        options = tuple(
            tuple(option(position, *one) for one in translated) for position in range(request.n)
        )
        return Plan(task, request, options)

    def _callback_url(self, request: VideoRequest) -> str | None:
        url = request.metadata.get(CALLBACK_URL)
        if url is None or url == "":
            return None
        param = _as_written(request, request.names.get(CALLBACK_URL, CALLBACK_URL))
        if not isinstance(url, str):
            raise InvalidParameterError(f"{param} must be a URL.", param=param)
        try:
            check_url(url, allowed_networks=self._allowed_networks)
        except UnsafeUrlError as error:
            raise InvalidParameterError(f"{param} cannot be called: {error}", param=param) from None
        return url

    async def _channels(self, caller: Caller, request: VideoRequest) -> list[Channel]:
        self._router.check_vendor_format(request.model, request.vendor_format)
        for provider in self._router.providers_of(request.model):
            model = provider.effective_model(request)
            if model != request.model:
                request = replace(request, model=model)
            check_model(caller, provider.family(model), model)
            break
        else:
            check_model(caller, (request.model,), request.model)
        return await self._router.candidates(
            caller.token,
            request.model,
            channel_id=request.channel_id,
            vendor_format=request.vendor_format,
        )

    async def _translated(
        self, request: VideoRequest, channels: list[Channel]
    ) -> tuple[list[tuple[Channel, Translation]], tuple[Quote, ...]]:
        """Translate for the channels that can honour the request, as far as they may be needed.

        One without a limit always has a slot, so nothing is begun at those behind it. What is
        refused may be moved there all the same: they are asked for their price, so that the same
        request costs the same whichever channel comes first.

        Returns:
            The channels to begin at, and what it costs at the others.
        """
        translated: list[tuple[Channel, Translation]] = []
        may_cost: list[Quote] = []
        known: dict[tuple[str, str], Translation] = {}
        first: InvalidParameterError | None = None
        is_enough = False
        for channel in channels:
            key = channel.provider, channel.model_map.get(request.model, request.model)
            try:
                if key not in known:
                    provider = self._providers[channel.provider]
                    known[key] = await translate(provider, request, channel)
                quote = self._prices.quote(known[key].facts, channel)
            except (UnsupportedParameterError, PriceMissingError) as error:
                first = first or error
                continue
            if not is_enough:
                translated.append((channel, known[key]))
                is_enough = not self._maker.is_limited(channel)
            elif quote is not None:
                may_cost.append(quote)
            if is_enough and quote is None:
                break
        if not translated:
            assert first is not None  # noqa: S101 - there is at least one channel
            raise first
        return translated, tuple(may_cost)


def _as_written(request: VideoRequest, name: str) -> str:
    """A member of `metadata` as the client wrote it; vendors' own formats have no such object."""
    return f"metadata.{name}" if request.vendor_format is None else name


def _asked_model(request: VideoRequest) -> str:
    for name in _MODEL_FIELDS:
        value = request.metadata.get(name)
        if value is None:
            continue
        param = _as_written(request, name)
        if not isinstance(value, str) or not value:
            raise InvalidParameterError(f"{param} must be the name of a model.", param=param)
        if len(value) > _MODEL_CHARACTERS:
            raise InvalidParameterError(
                f"{param} may have at most {_MODEL_CHARACTERS} characters.", param=param
            )
        return value
    return request.model


def _asked_queue_wait(request: VideoRequest) -> timedelta | None:
    asked = request.metadata.get(QUEUE_WAIT)
    if asked is None or asked == "":
        return None
    most = int(QUEUE_WAIT_MOST.total_seconds())
    is_number = isinstance(asked, int | float) and not isinstance(asked, bool)
    if is_number or (isinstance(asked, str) and _SECONDS.fullmatch(asked)):
        seconds = float(asked)
        if 0 <= seconds <= most:
            return timedelta(seconds=seconds)
    param = _as_written(request, QUEUE_WAIT)
    raise InvalidParameterError(
        f"{param} must be a number of seconds from 0 to {most}.", param=param
    )


def _check_echo(echo: Mapping[str, Any], longest: Mapping[str, int | None]) -> None:
    """Hold what is the client's own, such as its id of a task, to one length in every dialect."""
    for name, most in longest.items():
        value = echo.get(name)
        if most is not None and isinstance(value, str) and len(value) > most:
            param = f"metadata.{name}"
            raise InvalidParameterError(f"{param} may have at most {most} characters.", param=param)


def _asked_seed(request: VideoRequest) -> int | None:
    if request.seed is not None:
        return request.seed
    seed = request.metadata.get("seed")
    is_seed = isinstance(seed, int) and not isinstance(seed, bool) and abs(seed) < 1 << 63
    return seed if is_seed else None
