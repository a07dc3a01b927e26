"""New links for finished videos whose links have ended."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from vidgate.db.attempts import AttemptStore
from vidgate.db.tasks import TaskStore
from vidgate.exceptions import ConfigurationError, DatabaseUnavailableError, UpstreamError
from vidgate.models.attempts import Attempt
from vidgate.models.ids import public_id
from vidgate.models.outcomes import Failed, Outcome, Succeeded, VideoResult
from vidgate.providers.base import Provider
from vidgate.services.channels.upstream import CallKind, Upstream
from vidgate.services.views.changes import Changes

__all__ = ["CannotAskError", "GoneError", "LinkRenewer"]

_log = structlog.get_logger(__name__)

RENEWAL_SPACING: Final = timedelta(seconds=5)
"""How long the answer to one renewal serves everybody else who asks for the same one: nobody who
repeats a download can make us ask a provider more often."""


class GoneError(UpstreamError):
    """The provider has the video no more."""


class CannotAskError(UpstreamError):
    """The provider did not say; it may later."""


class LinkRenewer:
    """Asks providers again about jobs that are done, for the sake of their links.

    Args:
        changes: Tells every process that the link it remembers is old.
    """

    def __init__(
        self,
        *,
        tasks: TaskStore,
        attempts: AttemptStore,
        providers: Mapping[str, Provider],
        upstream: Upstream,
        changes: Changes,
    ) -> None:
        self._tasks = tasks
        self._attempts = attempts
        self._providers = providers
        self._upstream = upstream
        self._changes = changes
        self._renewals: dict[tuple[UUID, int], asyncio.Task[VideoResult]] = {}

    async def renew(self, task_id: UUID, position: int, result: VideoResult) -> VideoResult:
        """Ask for the video's link of today, and keep it; who asks at once shares one ask.

        Args:
            task_id: A task that has succeeded.
            position: Of the video.
            result: As it is stored.

        Returns:
            The same with new links; they may be the old ones.

        Raises:
            GoneError: The provider has the video no more.
            CannotAskError: It did not say.
            DatabaseUnavailableError: The job could not be looked up.
        """
        key = (task_id, position)
        renewal = self._renewals.get(key)
        if renewal is None:
            renewal = asyncio.create_task(self._renew(task_id, position, result))
            self._renewals[key] = renewal
            renewal.add_done_callback(lambda done: self._forget_later(key, done))
        # Whoever goes away takes nothing from the others.
        return await asyncio.shield(renewal)

    def _forget_later(self, key: tuple[UUID, int], done: asyncio.Task[VideoResult]) -> None:
        if not done.cancelled():
            done.exception()  # retrieved, should all who asked have gone
        asyncio.get_running_loop().call_later(
            RENEWAL_SPACING.total_seconds(), self._renewals.pop, key, None
        )

    async def _renew(self, task_id: UUID, position: int, result: VideoResult) -> VideoResult:
        attempt = await self._attempts.maker(task_id, position)
        if attempt is None or attempt.ref is None:
            raise GoneError("Nobody knows any more which job made it.")
        with structlog.contextvars.bound_contextvars(task=public_id("task_", task_id)):
            outcome = await self._ask(attempt)
            match outcome:
                case Succeeded(result=found):
                    renewed = replace(
                        result,
                        url=found.url,
                        cover_url=found.cover_url or result.cover_url,
                        watermarked_url=found.watermarked_url or result.watermarked_url,
                        expires_at=found.expires_at,
                        protected=found.protected,
                    )
                    if renewed != result:
                        await self._keep(task_id, position, renewed)
                    return renewed
                case Failed(fault=fault):
                    _log.info("A link cannot be renewed", reason=fault.message)
                    raise GoneError("The provider has it no more.")
                case _:
                    _log.warning("A link could not be renewed", outcome=type(outcome).__name__)
                    raise CannotAskError("The provider did not say.")

    async def _ask(self, attempt: Attempt) -> Outcome:
        assert attempt.ref is not None  # noqa: S101 - checked before
        provider = self._providers[attempt.provider]
        try:
            outcomes = await self._upstream.ask(
                attempt,
                partial(provider.poll, [attempt.ref]),
                call=CallKind.POLL,
                within=provider.capabilities.poll_timeout,
            )
            return outcomes[attempt.ref]
        except (UpstreamError, ConfigurationError) as error:
            _log.warning("A link could not be renewed", reason=str(error))
            raise CannotAskError("The provider did not say.") from None

    async def _keep(self, task_id: UUID, position: int, result: VideoResult) -> None:
        try:
            kept = await self._tasks.renew_result(task_id, position, result)
        except DatabaseUnavailableError:
            _log.warning("A renewed link could not be stored")
            return
        if kept:
            self._changes.changed(task_id)
            _log.info("A link was renewed")
