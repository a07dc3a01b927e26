"""Content links: addresses of ours for videos that only a channel's credential opens."""

import secrets
from dataclasses import replace
from typing import Final
from uuid import UUID

from vidgate.models.tasks import OutputSnapshot, TaskSnapshot
from vidgate.services.sealed import from_url_text, to_url_text
from vidgate.services.secrets import Purpose, SecretBox

__all__ = ["BASE", "CONTENT_PATH", "ContentLinks"]

BASE: Final = f"https://{secrets.token_hex(16)}.invalid"
"""What every link of ours begins with until an answer is sent: only then it is certain by which
address the client knows us. It is of this process alone, and nobody can guess it: what a client
sent is never taken for it."""

CONTENT_PATH: Final = "/content"
"""Below the base; then the sealed name of a video."""

_ID_BYTES: Final = 16
_POSITION_BYTES: Final = 2
_SIGNATURE_BYTES: Final = 16
_BYTES: Final = _ID_BYTES + _POSITION_BYTES + _SIGNATURE_BYTES


class ContentLinks:
    """Makes, reads and hands out content links.

    A link is a task's id, the position of one of its videos, and our signature of both: nothing
    has to be kept, nobody can guess it, and a link to one video does not reveal another. Whoever
    has it may read the video, as with any link of a provider's.

    Args:
        box: Signs.
    """

    def __init__(self, *, box: SecretBox) -> None:
        self._box = box

    def of(self, task_id: UUID, position: int) -> str:
        """The link to one video, which begins with `BASE`."""
        signature = self._box.sign(Purpose.CONTENT_URL, _signed(task_id, position))
        content = task_id.bytes + position.to_bytes(_POSITION_BYTES) + signature[:_SIGNATURE_BYTES]
        return f"{BASE}{CONTENT_PATH}/{to_url_text(content)}"

    def read(self, sealed: str) -> tuple[UUID, int] | None:
        """The task and the position that a link names, or `None` for a foreign one."""
        content = from_url_text(sealed, _BYTES)
        if content is None:
            return None
        task_id = UUID(bytes=content[:_ID_BYTES])
        position = int.from_bytes(content[_ID_BYTES : _ID_BYTES + _POSITION_BYTES])
        signature = content[_ID_BYTES + _POSITION_BYTES :]
        is_ours = self._box.verify(Purpose.CONTENT_URL, _signed(task_id, position), signature)
        return (task_id, position) if is_ours else None

    def publish(self, snapshot: TaskSnapshot) -> TaskSnapshot:
        """A task as clients may see it: with links of ours for its protected videos."""
        if not any(output.result and output.result.protected for output in snapshot.outputs):
            return snapshot
        outputs = tuple(
            self._publish(snapshot.id, position, output)
            for position, output in enumerate(snapshot.outputs)
        )
        return replace(snapshot, outputs=outputs)

    def _publish(self, task_id: UUID, position: int, output: OutputSnapshot) -> OutputSnapshot:
        result = output.result
        if result is None or not result.protected:
            return output
        return replace(
            output, result=replace(result, url=self.of(task_id, position), protected=False)
        )


def _signed(task_id: UUID, position: int) -> str:
    return f"{task_id} {position}"
