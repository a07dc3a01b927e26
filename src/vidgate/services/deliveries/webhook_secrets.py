"""The secrets that sign webhooks: one of each endpoint, and one of each account."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from standardwebhooks import Webhook

from vidgate.db.clock import Clock
from vidgate.db.webhooks import WebhookStore
from vidgate.models.acts import Author
from vidgate.models.webhooks import WebhookEndpoint
from vidgate.services.secrets import Purpose, SecretBox

__all__ = ["WebhookSecrets", "hint_of", "new_webhook_secret"]

_PREFIX: Final = "whsec_"
_BYTES: Final = 32
_HINT_CHARACTERS: Final = 4


def new_webhook_secret() -> str:
    """Make a secret in the form of Standard Webhooks: `whsec_` and base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def hint_of(secret: str) -> str:
    """What may be shown of a secret: enough to tell it from another."""
    return f"{_PREFIX}…{secret.rstrip('=')[-_HINT_CHARACTERS:]}"


class WebhookSecrets:
    """Keeps secrets encrypted, and signs with those that hold at the moment.

    A task's `callback_url` is signed with the account's own secret, made at first need; the id of
    the endpoint is `None` there.
    """

    def __init__(self, *, store: WebhookStore, box: SecretBox, clock: Clock) -> None:
        self._store = store
        self._box = box
        self._clock = clock

    async def current(self, account_id: UUID, endpoint_id: UUID | None) -> str:
        """The secret that is shown; an account's own is made if it has none.

        Raises:
            ConfigurationError: It cannot be decrypted.
            DatabaseUnavailableError: It could not be read.
        """
        return (await self._all(account_id, endpoint_id))[0]

    async def sign(
        self, account_id: UUID, endpoint_id: UUID | None, *, event_id: str, at: datetime, body: str
    ) -> str:
        """The value of `webhook-signature`: one signature for each secret that holds.

        Args:
            account_id: Whose secret.
            endpoint_id: Of which endpoint, `None` for `callback_url`s.
            event_id: The value of `webhook-id`.
            at: The time in `webhook-timestamp`, in UTC.
            body: What is sent.

        Raises:
            ConfigurationError: A secret cannot be decrypted.
            DatabaseUnavailableError: They could not be read.
        """
        signing = [Webhook(secret) for secret in await self._all(account_id, endpoint_id)]
        return " ".join(one.sign(event_id, at, body) for one in signing)

    async def rotate(
        self,
        account_id: UUID,
        endpoint_id: UUID | None,
        *,
        overlap: timedelta,
        by: Author | None = None,
    ) -> tuple[str, WebhookEndpoint | None]:
        """Make a new secret; the old one signs beside it for a while.

        Returns:
            The new secret, and its endpoint.
        """
        secret = new_webhook_secret()
        endpoint = await self._store.rotate_secret(
            account_id,
            endpoint_id,
            self._box.encrypt(Purpose.WEBHOOK, secret),
            old_until=self._clock.now() + overlap,
            author=by,
        )
        return secret, endpoint

    async def _all(self, account_id: UUID, endpoint_id: UUID | None) -> list[str]:
        found = await self._store.secrets(account_id, endpoint_id, self._clock.now())
        if not found:
            made = self._box.encrypt(Purpose.WEBHOOK, new_webhook_secret())
            await self._store.add_secret(account_id, endpoint_id, made)
            # Read again: another process may have made one at the same moment.
            found = await self._store.secrets(account_id, endpoint_id, self._clock.now())
        return [self._box.decrypt(Purpose.WEBHOOK, secret) for secret in found]
