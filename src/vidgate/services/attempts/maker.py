"""New attempts, before they are stored."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from vidgate.constants import LEASE_MARGIN
from vidgate.db.attempts import NewAttempt
from vidgate.models.attempts import Attempt, Lease
from vidgate.models.channels import Channel
from vidgate.models.ids import new_id, public_id
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import CallsBack, Provider, SubmitIds, Translation
from vidgate.services.attempts.callbacks import CallbackAddresses
from vidgate.services.attempts.pacing import to_job_pace
from vidgate.services.limits.known import KnownLimits
from vidgate.services.money.prices import Prices

__all__ = ["AttemptMaker"]

_UPLOAD_BYTES_PER_SECOND = 500_000
"""What a submit's deadline allows for the body, beside the provider's own time."""


class AttemptMaker:
    """Makes attempts, and the ids that their submits carry.

    Args:
        submit_timeout: The operator's own deadline of a submit, `None` for each provider's.
        addresses: Where providers may call.
        prices: What videos are charged by.
        limits: Knows those of the channels.
    """

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        submit_timeout: timedelta | None,
        addresses: CallbackAddresses,
        prices: Prices,
        limits: KnownLimits,
    ) -> None:
        self._providers = providers
        self._submit_timeout = submit_timeout
        self._addresses = addresses
        self._prices = prices
        self._limits = limits

    def submit_deadline(self, provider: str, request: VideoRequest) -> timedelta:
        """The total deadline of a submit: the provider's own time, and time to upload."""
        # A form has pictures as they are, and the provider gets them as text.
        upload = max(request.work_bytes, request.picture_bytes) * 4 / 3 / _UPLOAD_BYTES_PER_SECOND
        own = self._submit_timeout or self._providers[provider].capabilities.submit_timeout
        return own + timedelta(seconds=upload)

    def make(
        self,
        *,
        task_id: UUID,
        channel: Channel,
        request: VideoRequest,
        translation: Translation,
        now: datetime,
        deadline_at: datetime,
        number: int = 1,
        position: int = 0,
    ) -> NewAttempt:
        """Make an attempt at a channel, with a lease that outlasts its submit.

        Args:
            task_id: Of what task.
            channel: Where.
            request: What the client asked for.
            translation: What was made of it for the channel.
            now: Database time.
            deadline_at: How long it may wait: as long as its task may, at whatever channels.
            number: 1 for the first of its output.
            position: Of the output.

        Raises:
            PriceMissingError: What it would run has no price, and is not free.
        """
        deadline = self.submit_deadline(channel.provider, request)
        ends = now + deadline
        identifier = new_id()
        return NewAttempt(
            id=identifier,
            task_id=task_id,
            position=position,
            number=number,
            channel_id=channel.id,
            credential_id=channel.credential_id,
            provider=channel.provider,
            upstream_model=translation.facts.model,
            endpoint=translation.endpoint,
            correlation=public_id("vg_", identifier),
            pace=to_job_pace(
                translation.pace,
                submit=deadline,
                calls_back=self._calls_back(channel.provider, translation),
                usual=self._usual(channel.provider, translation),
            ),
            created_at=now,
            deadline_at=deadline_at,
            submit_ends_at=ends,
            lease=Lease(new_id(), ends + LEASE_MARGIN),
            max_concurrency=channel.cap,
            price=self._prices.quote(translation.facts, channel),
            limits=self._limits.of_owner(channel.id),
        )

    def is_limited(self, channel: Channel) -> bool:
        """Whether a channel may have no place for one more job."""
        return channel.cap is not None or bool(self._limits.of_owner(channel.id))

    def ids(self, attempt: Attempt, translation: Translation) -> SubmitIds:
        """What an attempt's submit carries of ours."""
        calls_back = self._calls_back(attempt.provider, translation)
        return SubmitIds(
            correlation=attempt.correlation,
            callback_url=self._addresses.of(attempt.provider, attempt.id) if calls_back else None,
        )

    def _usual(self, provider: str, translation: Translation) -> timedelta | None:
        """After which most jobs like this one are finished, `None` where nobody knows."""
        if translation.facts.off_peak:
            return translation.pace.deadline  # it runs whenever there is room
        known = self._providers[provider].capabilities.models.get(translation.facts.model)
        return known.usual if known else None

    def _calls_back(self, provider: str, translation: Translation) -> bool:
        """Whether the provider is given an address to call, and so tells by itself."""
        can = isinstance(self._providers[provider], CallsBack) and translation.callback
        return can and self._addresses.are_known
