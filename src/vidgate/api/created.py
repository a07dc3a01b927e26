"""The answer to a creating POST, which knows whether it arrived."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from vidgate.api.dependencies import services_of
from vidgate.api.links import LinkedAnswer
from vidgate.api.preferences import tell_notes
from vidgate.services.tasks.creating import Created

__all__ = ["CreatedResponse"]


class CreatedResponse(LinkedAnswer):
    """Answers with a task as its dialect writes it.

    The answer has arrived, as far as anybody here can know, if all of it was given to a connection
    that its client had not closed. Where a process dies before that, it has not.

    Args:
        content: What the dialect says of it, JSON.
        created: The task.
        headers: Beside those that every such answer has.
    """

    def __init__(
        self,
        content: bytes,
        created: Created,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(content, headers={**tell_notes(created), **headers})
        self._created = created

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["facts"] = {"task": self._created.snapshot.public_id}
        if self._created.receipt is None:
            await super().__call__(scope, receive, send)
            return
        # Sending raises nothing where the client is gone: servers are to be asked before. The body
        # was read to its end, so that there is nothing else to receive.
        is_gone = await Request(scope, receive).is_disconnected()
        await super().__call__(scope, receive, send)
        if not is_gone:
            services_of(scope).task_creator.delivered(self._created)
