"""The Jimeng adapter."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
from pydantic import SecretStr
from typing_extensions import override

from vidgate.exceptions import ConfigurationError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Outcome, Rejected, Submission, UpstreamRef
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.providers.base import (
    Call,
    Callback,
    CallsBack,
    CancelAnswer,
    Cancels,
    ProbeAnswer,
    Provider,
    SubmitIds,
    Tests,
    Translation,
)
from vidgate.providers.jimeng import checks, replies
from vidgate.providers.jimeng.answers import SUCCESS
from vidgate.providers.jimeng.catalogue import CAPABILITIES
from vidgate.providers.jimeng.families import family_names
from vidgate.providers.jimeng.keys import KEYS, SYNC2ASYNC, calls_of
from vidgate.providers.jimeng.labels import POLL_FIELD
from vidgate.providers.jimeng.questions import Question, read_kind
from vidgate.providers.jimeng.signing import parse_credential, sign
from vidgate.providers.jimeng.translation import asked_model, translate
from vidgate.providers.jimeng.vocabulary import to_vocabulary
from vidgate.providers.pieces import to_json
from vidgate.providers.words import translate_words

__all__ = ["Jimeng"]

_VERSION = "2022-08-31"

_CANCEL_ACTION = "CVCancelTask"
_CANCEL_VERSION = "2024-06-06"
"""The one action that exists only in the newer version of the API."""

_STATUS_WORDS = {
    TaskStatus.QUEUED: "in_queue",
    TaskStatus.IN_PROGRESS: "generating",
    TaskStatus.SUCCEEDED: "done",
}
"""The rest has no word: it shows as a code."""

_FAILURE_CODES = {"content_policy_violation": 50412, "invalid_parameter": 50215}
_FAILED = 50520
"""What a failure of another kind is called. It is one of the codes with which the service ends a
task: 50500 says no more than that asking again may help, and would be asked again for hours.

Source: https://www.volcengine.com/docs/85621/1777001, read 2026-11-20
"""


class Jimeng(Provider, Cancels, Tests, CallsBack):
    """Jimeng AI on Volcengine Visual."""

    name = "jimeng"
    capabilities = CAPABILITIES

    @override
    def effective_model(self, request: VideoRequest) -> str:
        return asked_model(request)

    @override
    def family(self, model: str) -> tuple[str, ...]:
        return family_names(model)

    @override
    def check_credential(self, credential: str) -> None:
        parse_credential(credential)

    @override
    def translate(self, request: VideoRequest) -> Translation:
        return translate_words(request, to_vocabulary(request), translate)

    @override
    def submit(
        self, translation: Translation, channel: ChannelAccess, ids: SubmitIds, now: datetime
    ) -> Call[Submission | Rejected]:
        body = dict(translation.body)
        name = body["req_key"]
        key = KEYS.get(name)
        label = body.pop(POLL_FIELD, "") if key else ""
        if key and key.has_callback and ids.callback_url is not None:
            body["callback_url"] = ids.callback_url
        question = Question(req_key=name, action=calls_of(name).poll, req_json=label)
        sent = _request(translation.endpoint, body, channel, now)
        return Call(sent, lambda response: replies.read_submission(sent, response, question))

    @override
    def poll(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[UpstreamRef, Outcome]]:
        ref = refs[0]
        question = read_kind(ref.kind)
        body = {"req_key": question.req_key, "task_id": ref.id}
        if question.req_json:
            body[POLL_FIELD] = question.req_json
        sent = _request(question.action, body, channel, now)
        return Call(sent, lambda response: {ref: replies.read_poll(sent, response, now)})

    @override
    def cancel(self, ref: UpstreamRef, channel: ChannelAccess, now: datetime) -> Call[CancelAnswer]:
        body = {"req_key": read_kind(ref.kind).req_key, "task_id": ref.id}
        sent = _request(_CANCEL_ACTION, body, channel, now, version=_CANCEL_VERSION)
        return Call(sent, lambda response: checks.read_cancel(sent, response))

    @override
    def test(self, channel: ChannelAccess, now: datetime) -> Call[ProbeAnswer]:
        sent = _request(SYNC2ASYNC.poll, checks.PROBE_BODY, channel, now)
        return Call(sent, lambda response: checks.read_probe(sent, response))

    @override
    def check_callback(
        self, callback: Callback, channel: ChannelAccess, secret: SecretStr | None
    ) -> None:
        """Take every callback: the provider signs none, and the poll after it is what counts."""

    @override
    def native_answer(self, task: TaskSnapshot) -> dict[str, Any]:
        """Write what `CVSync2AsyncGetResult` would answer.

        As there, a task that failed has no status word but a code: 50412 where its content was
        refused, 50215 where its input was, 50520 for the rest, a cancelled one too, with the
        sentence that a client may read.
        """
        word = _STATUS_WORDS.get(task.status)
        if word is None:
            return _failure(task)
        data: dict[str, Any] = {"status": word}
        if task.status is TaskStatus.SUCCEEDED:
            data["video_url"] = task.result.url if task.result else ""
            data["aigc_meta_tagged"] = False
        return _envelope(task, SUCCESS, "Success", data)


def _failure(task: TaskSnapshot) -> dict[str, Any]:
    code = _FAILURE_CODES.get(task.error.code, _FAILED) if task.error else _FAILED
    if task.error is not None:
        message = task.error.message
    elif task.status is TaskStatus.CANCELLED:
        message = "The task was cancelled."
    else:
        message = "The task failed."
    return _envelope(task, code, message, None)


def _envelope(
    task: TaskSnapshot, code: int, message: str, data: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "code": code,
        "data": data,
        "message": message,
        "request_id": task.public_id,
        "status": code,
        "time_elapsed": "0ms",
    }


def _request(
    action: str,
    body: Mapping[str, Any],
    channel: ChannelAccess,
    now: datetime,
    *,
    version: str = _VERSION,
) -> httpx.Request:
    credential = parse_credential(channel.credential.get_secret_value())
    try:
        url = httpx.URL(f"{channel.base_url.rstrip('/')}/?Action={action}&Version={version}")
    except httpx.InvalidURL as error:
        raise ConfigurationError("The channel's base URL is not a URL.") from error
    content = to_json(body)
    headers = {"content-type": "application/json"}
    sign(url, headers, content, credential, now)
    return httpx.Request("POST", url, headers=headers, content=content)
