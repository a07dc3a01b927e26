"""Callbacks: where providers may call, and what a call brings about."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from uuid import UUID

import structlog

from vidgate.constants import CALLBACK_MEMORY, CALLBACK_SPACING, CALLBACK_TRIES
from vidgate.db.attempts import AttemptStore
from vidgate.db.clock import Clock
from vidgate.exceptions import CallbackRefusedError, NotFoundError, PermissionDeniedError
from vidgate.models.attempts import Attempt
from vidgate.models.ids import public_id
from vidgate.providers.base import Callback, CallsBack, Provider
from vidgate.services.channels.directory import Directory
from vidgate.services.sealed import from_url_text, to_url_text
from vidgate.services.secrets import Purpose, SecretBox

__all__ = ["CALLBACKS_PATH", "CallbackAddresses", "CallbackReceiver"]

_log = structlog.get_logger(__name__)

CALLBACKS_PATH = "/callbacks"
"""Below the public URL; then the provider and the token."""

_ID_BYTES = 16
_SIGNATURE_BYTES = 16


class CallbackAddresses:
    """Where a provider may call about one attempt.

    The token at the end is the attempt's id and our signature of it, so that nothing has to be
    kept, nobody can guess it, and an address of one attempt does not reveal another.

    Args:
        public_url: Where providers reach this deployment, `None` if they cannot.
        box: Signs.
    """

    def __init__(self, *, public_url: str | None, box: SecretBox) -> None:
        self._public_url = public_url
        self._box = box

    @property
    def are_known(self) -> bool:
        """Whether there is a public URL to make addresses of."""
        return self._public_url is not None

    def of(self, provider: str, attempt_id: UUID) -> str:
        """The address of one attempt, to be kept from everybody but its provider."""
        signature = self._box.sign(Purpose.CALLBACK, _signed(provider, attempt_id))
        token = to_url_text(attempt_id.bytes + signature[:_SIGNATURE_BYTES])
        return self.written(provider, token)

    def written(self, provider: str, token: str) -> str:
        """An address by its parts, as it was given: the path may come to us without a prefix."""
        return f"{self._public_url or ''}{CALLBACKS_PATH}/{provider}/{token}"

    def attempt_id(self, provider: str, token: str) -> UUID | None:
        """Whose address it is, or `None` for a foreign one."""
        content = from_url_text(token, _ID_BYTES + _SIGNATURE_BYTES)
        if content is None:
            return None
        attempt_id = UUID(bytes=content[:_ID_BYTES])
        is_ours = self._box.verify(
            Purpose.CALLBACK, _signed(provider, attempt_id), content[_ID_BYTES:]
        )
        return attempt_id if is_ours else None


class CallbackReceiver:
    """Asks a provider about a job as soon as it calls about it.

    What a call says is never believed. The most that one can bring about, whoever made it, is a
    question to the provider, at most one in `CALLBACK_SPACING` for each job and process.

    Args:
        monotonic: Seconds that only grow; tells how old the last call is.
    """

    def __init__(
        self,
        *,
        addresses: CallbackAddresses,
        attempts: AttemptStore,
        directory: Directory,
        providers: Mapping[str, Provider],
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._addresses = addresses
        self._attempts = attempts
        self._directory = directory
        self._providers = providers
        self._clock = clock
        self._monotonic = monotonic
        self._hastened: OrderedDict[UUID, float] = OrderedDict()  # the latest last
        self._waiting: dict[UUID, int] = {}

    async def find(self, provider: str, token: str) -> Attempt:
        """The attempt that an address is of. The database is asked for nothing we did not sign.

        Raises:
            NotFoundError: No such attempt; the error does not say why.
            DatabaseUnavailableError: It could not be looked up.
        """
        known = self._providers.get(provider)
        attempt = None
        if known is not None and isinstance(known, CallsBack):
            attempt_id = self._addresses.attempt_id(provider, token)
            if attempt_id is not None:
                attempt = await self._attempts.one(attempt_id)
        if attempt is None or attempt.provider != provider:
            raise NotFoundError("There is no such callback address.", code="callback_not_found")
        return attempt

    async def receive(
        self, attempt: Attempt, *, token: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Check a call's signature, and have the job asked about at once.

        Raises:
            PermissionDeniedError: The signature does not hold.
            DatabaseUnavailableError: It could not be noted; the provider may call again.
        """
        callback = Callback(
            method=method,
            url=self._addresses.written(attempt.provider, token),
            headers=headers,
            body=body,
            received_at=self._clock.now(),
        )
        provider = self._providers[attempt.provider]
        assert isinstance(provider, CallsBack)  # noqa: S101 - or `find` would not have found it
        access = await self._directory.access(attempt.credential_id)
        secret = await self._directory.callback_secret(attempt.channel_id)
        with structlog.contextvars.bound_contextvars(task=public_id("task_", attempt.task_id)):
            try:
                provider.check_callback(callback, access, secret)
            except CallbackRefusedError as error:
                _log.warning("A callback was refused", provider=attempt.provider, reason=str(error))
                raise PermissionDeniedError(
                    "The signature of this callback does not hold.", code="callback_refused"
                ) from error
        await self._hasten(attempt.id)

    async def round(self) -> None:
        """Try again with the jobs that were being asked about when their callback came."""
        waiting = list(self._waiting)
        if not waiting:
            return
        held = await self._attempts.hasten(waiting, self._clock.now(), called=True)
        for attempt_id in waiting:
            tries = self._waiting.pop(attempt_id) + 1
            if attempt_id in held and tries < CALLBACK_TRIES:
                self._waiting[attempt_id] = tries
            else:
                self._remember(attempt_id)

    async def _hasten(self, attempt_id: UUID) -> None:
        last = self._hastened.get(attempt_id)
        is_soon = last is not None and self._monotonic() - last < CALLBACK_SPACING.total_seconds()
        if not is_soon and attempt_id not in self._waiting:
            self._remember(attempt_id)
            now = self._clock.now()
            is_soon = bool(await self._attempts.hasten([attempt_id], now, called=True))
        if is_soon and len(self._waiting) < CALLBACK_MEMORY:
            self._waiting.setdefault(attempt_id, 0)

    def _remember(self, attempt_id: UUID) -> None:
        self._hastened[attempt_id] = self._monotonic()
        self._hastened.move_to_end(attempt_id)
        if len(self._hastened) > CALLBACK_MEMORY:
            self._hastened.popitem(last=False)


def _signed(provider: str, attempt_id: UUID) -> str:
    return f"{provider} {attempt_id}"
