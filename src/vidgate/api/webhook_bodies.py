"""The bodies of webhooks: an event around the body of a GET, or a vendor's own callback."""

from collections.abc import Mapping

from vidgate.api.dependencies import NativeAnswers
from vidgate.api.dialects.registry import DIALECTS
from vidgate.api.links import fill_links, own_base
from vidgate.api.writing import encode, unix_seconds
from vidgate.config import Settings
from vidgate.constants import WEBHOOK_BODY_BYTES
from vidgate.models.tasks import TaskSnapshot
from vidgate.models.webhooks import Delivery

__all__ = ["WebhookBodies"]

_EVENTS = {one.name: one.write_event for one in DIALECTS if one.write_event}
_CALLBACKS = {one.name: one.write_callback for one in DIALECTS if one.write_callback}
_DEFAULT = DIALECTS[0].name


class WebhookBodies:
    """Writes what a receiver gets.

    A `callback_url` of a task in a vendor's own format gets that vendor's callback; everybody else
    gets an event, whose data is what a GET in the task's dialect answers.

    Args:
        settings: The operator's.
        providers: Write their own answers, by name.
    """

    def __init__(self, settings: Settings, providers: Mapping[str, NativeAnswers]) -> None:
        self._settings = settings
        self._providers = providers

    def __call__(self, task: TaskSnapshot, delivery: Delivery) -> str:
        """Write one body, as JSON."""
        callback = _CALLBACKS.get(task.dialect) if delivery.endpoint_id is None else None
        if callback is not None:
            return self._finish(encode(callback(task, self._providers)))
        write = _EVENTS.get(task.dialect) or _EVENTS[_DEFAULT]
        event = {
            "id": delivery.public_id,
            "object": "event",
            "type": delivery.event.value,
            "created_at": unix_seconds(delivery.created_at),
            "data": write(task, self._providers, self._settings),
        }
        body = encode(event)
        if len(body) >= WEBHOOK_BODY_BYTES:
            body = encode(event | {"data": {"id": task.public_id}})
        return self._finish(body)

    def _finish(self, body: bytes) -> str:
        return fill_links(body, own_base(self._settings)).decode()
