"""Videos and sessions that a request names as ours, in the words of the provider that made them."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from vidgate.db.attempts import AttemptStore
from vidgate.exceptions import (
    ConflictError,
    InvalidParameterError,
    TaskNotFoundError,
    UnsupportedParameterError,
)
from vidgate.models.accounts import Sight
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.providers.base import AnswersDirectly, Provider
from vidgate.services.channels.routing import Router
from vidgate.services.tasks.sessions import Sessions
from vidgate.services.views.reading import TaskReader

__all__ = ["VideoNames", "change_leaves"]

_NAME = re.compile(r"(?P<task>task_[0-9a-hjkmnp-tv-z]{26})(?:_(?P<position>[0-7]))?")
"""`<public id>_<position>`, as answers show a video; the task alone means its first one."""


class VideoNames:
    """Puts the provider's ids in the place of ours, and finds the channel that knows them."""

    def __init__(
        self,
        *,
        reader: TaskReader,
        attempts: AttemptStore,
        router: Router,
        providers: Mapping[str, Provider],
        sessions: Sessions,
    ) -> None:
        self._sessions = sessions
        self._reader = reader
        self._router = router
        self._attempts = attempts
        # A value is only touched where it looks like an id of ours, so one set serves them all.
        offers = [provider.capabilities for provider in providers.values()]
        self._fields = frozenset[str]().union(*(offer.object_fields for offer in offers))
        self._session_fields = frozenset[str]().union(
            *(one.session_fields for one in providers.values() if isinstance(one, AnswersDirectly))
        )

    async def finished(self, name: str, sight: Sight, *, param: str) -> TaskSnapshot:
        """The task behind an id of ours, which has made a video.

        Raises:
            TaskNotFoundError: There is no such task in sight.
            ConflictError: It has no video, or none yet.
            DatabaseUnavailableError: It could not be read.
        """
        found = _NAME.fullmatch(name)
        try:
            task = (await self._reader.read(found["task"] if found else name, sight)).snapshot
        except TaskNotFoundError as error:
            raise TaskNotFoundError(error.message, param=param) from None
        if task.status is not TaskStatus.SUCCEEDED:
            ended = task.status.is_final
            raise ConflictError(
                f"The task {task.public_id} has made no video."
                if ended
                else f"The task {task.public_id} is not finished; wait for its end.",
                param=param,
                code="no_video" if ended else "task_not_finished",
            )
        return task

    async def resolve(self, request: VideoRequest, sight: Sight) -> VideoRequest:
        """Replace our ids in `metadata`, and pin the request to the channel that knows them.

        Raises:
            NotFoundError: One is no task or session in sight.
            ConflictError: One has made no video.
            UnsupportedParameterError: Its provider gave the video no id, or its channel does not
                serve the model.
            InvalidParameterError: Two were made by different channels.
            DatabaseUnavailableError: It could not be read.
        """
        names: dict[str, str] = {}  # and where each stands

        def note(field: str, name: str) -> str:
            names[name] = field
            return name

        await self._changed(request, note)
        if not names:
            return request
        upstream: dict[str, str] = {}
        channels: set[UUID] = set()
        for name, field in names.items():
            upstream[name], channel_id = await self._look_up(name, field, sight)
            channels.add(channel_id)
            if len(channels) > 1:
                raise InvalidParameterError(
                    f"{field} names what was made at another account of the provider's than what "
                    "is named before it; they cannot be used together.",
                    param=field,
                )
        [channel_id] = channels
        if not await self._router.may_serve(channel_id, self._router.effective_model(request)):
            field = next(iter(names.values()))
            raise UnsupportedParameterError(
                field,
                f"The account that made what {field} names does not offer the model "
                f"{request.model!r}; name one of the same provider's.",
            )
        metadata = await self._changed(request, lambda _, name: upstream[name])
        return replace(request, metadata=metadata, channel_id=channel_id)

    async def _look_up(self, name: str, field: str, sight: Sight) -> tuple[str, UUID]:
        if field in self._session_fields and self._sessions.is_name(name):
            return self._sessions.open(name, sight, param=field)
        task = await self.finished(name, sight, param=field)
        found = _NAME.fullmatch(name)
        position = int(found["position"] or 0) if found else 0
        result = task.outputs[position].result if position < len(task.outputs) else None
        if result is None:
            raise TaskNotFoundError(f"There is no video {name!r}.", param=field)
        if result.upstream_id is None:
            raise UnsupportedParameterError(
                field, f"The provider that made {name} offers nothing that could be done with it."
            )
        attempt = await self._attempts.maker(task.id, position)
        if attempt is None:
            raise TaskNotFoundError(f"There is no video {name!r}.", param=field)
        return result.upstream_id, attempt.channel_id

    async def _changed(self, request: VideoRequest, change: Callable[[str, str], str]) -> Any:
        if request.is_heavy:
            return await asyncio.to_thread(self._change_names, request.metadata, change)
        return self._change_names(request.metadata, change)

    def _change_names(self, document: Mapping[str, Any], change: Callable[[str, str], str]) -> Any:
        def change_name(field: str, value: Any) -> Any:
            is_name = isinstance(value, str) and self._is_name(value, field)
            return change(field, value) if is_name else value

        return change_leaves(document, change_name)

    def _is_name(self, value: str, field: str) -> bool:
        if field in self._fields and _NAME.fullmatch(value):
            return True
        return field in self._session_fields and self._sessions.is_name(value)


def change_leaves(document: Any, change: Callable[[str, Any], Any], field: str = "") -> Any:
    """Copy a document with each of its values changed that is neither an object nor a list.

    Args:
        document: JSON.
        change: From the field that a value stands in, and the value.
        field: The one that the document itself stands in.
    """
    # Most are of these, and asking about Mapping takes ten times as long.
    if isinstance(document, str | int | float):
        return change(field, document)
    if isinstance(document, Mapping):
        return {key: change_leaves(member, change, key) for key, member in document.items()}
    if isinstance(document, list):
        return [change_leaves(member, change, field) for member in document]
    return change(field, document)
