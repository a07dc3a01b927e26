"""Content links: addresses of ours for videos that only a channel's credential opens."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from vidgate.config import Settings
from vidgate.models.tasks import OutputSnapshot, TaskSnapshot
from vidgate.services.sealed import from_url_text, to_url_text
from vidgate.services.secrets import Purpose, SecretBox

__all__ = ["CONTENT_PATH", "ContentLinks", "base_url_of"]

CONTENT_PATH: Final = "/content"
"""Below the base URL; then the sealed name of a video."""

_ID_BYTES: Final = 16
_POSITION_BYTES: Final = 2
_SIGNATURE_BYTES: Final = 16
_BYTES: Final = _ID_BYTES + _POSITION_BYTES + _SIGNATURE_BYTES

_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - for reading only


def base_url_of(settings: Settings) -> str:
    """Where clients reach this deployment, as far as the settings tell."""
    if settings.public_url is not None:
        return settings.public_url
    host = _WILDCARDS.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


class ContentLinks:
    """Makes, reads and hands out content links.

    A link is a task's id, the position of one of its videos, and our signature of both: nothing
    has to be kept, nobody can guess it, and a link to one video says nothing of another. Whoever
    has it may read the video, as with any link of a provider's.

    Args:
        base_url: Where clients reach this deployment, without a slash at its end.
        box: Signs.
    """

    def __init__(self, *, base_url: str, box: SecretBox) -> None:
        self._base_url = base_url
        self._box = box

    def of(self, task_id: UUID, position: int) -> str:
        """The link to one video."""
        signature = self._box.sign(Purpose.CONTENT_URL, _signed(task_id, position))
        content = task_id.bytes + position.to_bytes(_POSITION_BYTES) + signature[:_SIGNATURE_BYTES]
        return f"{self._base_url}{CONTENT_PATH}/{to_url_text(content)}"

    def read(self, sealed: str) -> tuple[UUID, int] | None:
        """The task and the position that a link names, `None` if it is none of ours."""
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
