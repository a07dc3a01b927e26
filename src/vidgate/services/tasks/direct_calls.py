"""Questions that a provider answers at once and that make no job, as before a lip-sync."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from vidgate.db.clock import Clock
from vidgate.exceptions import (
    ConfigurationError,
    NoChannelError,
    UpstreamError,
    UpstreamUnavailableError,
)
from vidgate.models.accounts import Caller
from vidgate.models.channels import Channel
from vidgate.models.outcomes import Fault, FaultKind, Rejected, Remedy
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import AnswersDirectly, Provider
from vidgate.services.attempts.faults import to_request_error
from vidgate.services.channels.permissions import check_model, check_token
from vidgate.services.channels.routing import Router
from vidgate.services.channels.upstream import CallKind, Upstream
from vidgate.services.tasks.references import VideoNames, change_leaves
from vidgate.services.tasks.sessions import Sessions

__all__ = ["DirectCalls"]

_log = structlog.get_logger(__name__)

_DEADLINE = timedelta(seconds=30)
"""For an answer, whichever channel gives it: half of the minute after which load balancers, clients
and a gateway in front of this one give up."""


class DirectCalls:
    """Passes such questions on, and names the sessions that answers open.

    Nothing is stored or made by them, so that they may be repeated. Kling takes 0.05 units for a
    look at faces, a tenth of the cheapest lip-sync: one without an answer may cost that twice.

    Args:
        clock: For tokens that expire.
        monotonic: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        names: VideoNames,
        sessions: Sessions,
        router: Router,
        providers: Mapping[str, Provider],
        upstream: Upstream,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._names = names
        self._sessions = sessions
        self._router = router
        self._providers = providers
        self._upstream = upstream
        self._clock = clock
        self._monotonic = monotonic

    async def ask(
        self,
        caller: Caller,
        provider: str,
        name: str,
        body: Mapping[str, Any],
        *,
        work_bytes: int = 0,
    ) -> dict[str, Any]:
        """Ask a provider, by whichever of its channels answers.

        Args:
            caller: Who asks.
            provider: Whose own question it is.
            name: One of its `direct_calls`.
            body: In its own words; videos and sessions are named by our names of them.
            work_bytes: Of the body, as it came.

        Returns:
            The provider's data as it came, but with our names of sessions.

        Raises:
            RequestError: The caller may not ask, something that the body names is not there, or
                every channel that could be asked refused or gave no answer.
            DatabaseUnavailableError: Something could not be read.
        """
        adapter = self._providers[provider]
        assert isinstance(adapter, AnswersDirectly)  # noqa: S101 - or there would be no such route
        model = adapter.direct_calls[name]
        check_token(caller, self._clock.now())
        check_model(caller, self._providers[provider].family(model), model)
        request = await self._names.resolve(
            VideoRequest(model=model, metadata=body, vendor_format=provider, work_bytes=work_bytes),
            caller.sight,
        )
        channel, data = await self._first_answer(
            adapter, name, request, await self._channels(caller, provider, request)
        )
        named = (adapter, data, body, channel, caller)
        if request.is_heavy:
            return await asyncio.to_thread(self._named, *named)
        return self._named(*named)

    async def _channels(
        self, caller: Caller, provider: str, request: VideoRequest
    ) -> list[Channel]:
        channels = await self._router.candidates(
            caller.token,
            request.model,
            channel_id=request.channel_id,
            vendor_format=request.vendor_format,
        )
        # Compatible servers make videos of these models, and have no such question.
        channels = [channel for channel in channels if channel.provider == provider]
        if not channels:
            raise NoChannelError(
                f"No channel of the provider's own serves the model {request.model!r}; ask the "
                "operator to add one."
            )
        return channels

    async def _first_answer(
        self,
        adapter: AnswersDirectly,
        name: str,
        request: VideoRequest,
        channels: Sequence[Channel],
    ) -> tuple[Channel, Mapping[str, Any]]:
        ends = self._monotonic() + _DEADLINE.total_seconds()
        refused: Fault | None = None
        for channel in channels:
            left = ends - self._monotonic()
            # One that hangs leaves time for those behind it.
            seconds = left if channel is channels[-1] else left / 2
            answer = await self._ask_one(adapter, name, request, channel, seconds)
            if not isinstance(answer, Rejected):
                return channel, answer
            if answer.fault.kind is not FaultKind.FAULT:
                refused = answer.fault
            if answer.fault.kind.remedy is Remedy.FINAL:
                break
        if refused is None:
            raise UpstreamUnavailableError(
                "The provider gave no answer; nothing was made, so ask again in a moment."
            )
        raise to_request_error(refused)

    async def _ask_one(
        self,
        adapter: AnswersDirectly,
        name: str,
        request: VideoRequest,
        channel: Channel,
        seconds: float,
    ) -> Mapping[str, Any] | Rejected:
        """Ask one channel; no answer is a fault of its provider's."""
        try:
            answer = await self._upstream.ask(
                channel,
                partial(adapter.ask, name, request.metadata),
                call=CallKind.DIRECT,
                within=timedelta(seconds=seconds),
                in_thread=request.is_heavy,
            )
        except ConfigurationError as error:
            answer = Rejected(Fault(FaultKind.CREDENTIAL, "credential", str(error)))
        except UpstreamError as error:
            answer = Rejected(Fault(FaultKind.FAULT, "no_answer", str(error)))
        if isinstance(answer, Rejected):
            _log.warning(
                "A provider did not answer a question",
                question=name,
                channel=channel.name,
                kind=answer.fault.kind.value,
                code=answer.fault.code,
                message=answer.fault.message,
            )
        return answer

    def _named(
        self,
        adapter: AnswersDirectly,
        data: Mapping[str, Any],
        body: Mapping[str, Any],
        channel: Channel,
        caller: Caller,
    ) -> dict[str, Any]:
        """Put our names of sessions in an answer: those that the client sent, or new ones."""
        fields = adapter.session_fields
        known: dict[str, str] = {}

        def note(field: str, value: Any) -> Any:
            if field in fields and isinstance(value, str) and self._sessions.is_name(value):
                session, _ = self._sessions.open(value, caller.sight, param=field)
                known[session] = value
            return value

        def name(field: str, value: Any) -> Any:
            if field not in fields or isinstance(value, bool) or not isinstance(value, str | int):
                return value
            session = str(value)
            if session and session not in known:
                known[session] = self._sessions.seal(
                    session, channel_id=channel.id, sight=caller.sight
                )
            return known.get(session, value)

        change_leaves(body, note)
        named: dict[str, Any] = change_leaves(data, name)
        return named
