"""Sending one webhook: signed, within a deadline, without redirects."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from vidgate import __version__
from vidgate.constants import WEBHOOK_ANSWER_BYTES, WEBHOOK_TIMEOUT
from vidgate.exceptions import NotSentError, UnansweredError
from vidgate.providers.transport.guard import GuardedFetcher, PostAnswer, UnsafeUrlError
from vidgate.services.deliveries.webhook_secrets import WebhookSecrets

__all__ = ["Sent", "WebhookSender"]

_DELIVERED: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one webhook.

    Attributes:
        answer: `None` where none came.
        error: Why it failed, `None` if it was delivered.
    """

    answer: PostAnswer | None
    error: str | None


class WebhookSender:
    """Sends a body to a receiver, with the headers of Standard Webhooks."""

    def __init__(self, *, fetcher: GuardedFetcher, secrets: WebhookSecrets) -> None:
        self._fetcher = fetcher
        self._secrets = secrets

    async def send(
        self,
        url: str,
        body: str,
        *,
        account_id: UUID,
        endpoint_id: UUID | None,
        event_id: str,
        now: datetime,
    ) -> Sent:
        """Send once.

        Args:
            url: Where to.
            body: JSON.
            account_id: Whose secret signs.
            endpoint_id: Of which endpoint, `None` for a `callback_url`.
            event_id: The same at every try.
            now: The time to sign with.

        Raises:
            ConfigurationError: A secret cannot be decrypted.
            DatabaseUnavailableError: The secrets could not be read.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"vidgate/{__version__}",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": await self._secrets.sign(
                account_id, endpoint_id, event_id=event_id, at=now.astimezone(UTC), body=body
            ),
        }
        try:
            answer = await self._fetcher.post(
                url,
                headers,
                body.encode(),
                keep_bytes=WEBHOOK_ANSWER_BYTES,
                timeout_seconds=WEBHOOK_TIMEOUT.total_seconds(),
            )
        except (UnsafeUrlError, NotSentError, UnansweredError) as error:
            return Sent(None, str(error))
        is_good = answer.status in _DELIVERED
        return Sent(answer, None if is_good else f"It answered {answer.status}.")
