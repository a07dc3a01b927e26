"""The Jimeng adapter."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import httpx
from typing_extensions import override

from vidgate.exceptions import ConfigurationError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Outcome, Rejected, Submission, UpstreamRef
from vidgate.models.requests import VideoRequest
from vidgate.providers.answers import Answer
from vidgate.providers.base import (
    Call,
    CallsBackUnsigned,
    CancelAnswer,
    Cancels,
    ProbeAnswer,
    Provider,
    SubmitIds,
    Tests,
    Translation,
)
from vidgate.providers.jimeng import answers
from vidgate.providers.jimeng.fields import POLL_FIELD, to_vocabulary
from vidgate.providers.jimeng.keys import KEYS, SYNC2ASYNC, calls_of
from vidgate.providers.jimeng.models import CAPABILITIES, family_names
from vidgate.providers.jimeng.signing import parse_credential, sign
from vidgate.providers.jimeng.translation import asked_model, translate
from vidgate.providers.jimeng.vendor_answers import to_native
from vidgate.providers.pieces import to_json
from vidgate.providers.words import translate_words

__all__ = ["Jimeng"]

T = TypeVar("T")

_VERSION = "2022-08-31"

_CANCEL_ACTION = "CVCancelTask"
_CANCEL_VERSION = "2024-06-06"
"""The one action that exists only in the newer version of the API."""


class Jimeng(Provider, Cancels, Tests, CallsBackUnsigned):
    """Jimeng AI on Volcengine Visual."""

    name = "jimeng"
    capabilities = CAPABILITIES

    effective_model = staticmethod(asked_model)
    family = staticmethod(family_names)
    native_answer = staticmethod(to_native)

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
        question = answers.Question(req_key=name, action=calls_of(name).poll, req_json=label)
        sent = _request(translation.endpoint, body, channel, now)
        return _question(sent, lambda answer: answers.read_submission(answer, question))

    @override
    def poll(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[UpstreamRef, Outcome]]:
        ref = refs[0]
        question = answers.read_kind(ref.kind)
        body = {"req_key": question.req_key, "task_id": ref.id}
        if question.req_json:
            body[POLL_FIELD] = question.req_json
        sent = _request(question.action, body, channel, now)
        return _question(sent, lambda answer: {ref: answers.read_poll(answer, now)})

    @override
    def cancel(self, ref: UpstreamRef, channel: ChannelAccess, now: datetime) -> Call[CancelAnswer]:
        body = {"req_key": answers.read_kind(ref.kind).req_key, "task_id": ref.id}
        sent = _request(_CANCEL_ACTION, body, channel, now, version=_CANCEL_VERSION)
        return _question(sent, answers.read_cancel)

    @override
    def test(self, channel: ChannelAccess, now: datetime) -> Call[ProbeAnswer]:
        sent = _request(SYNC2ASYNC.poll, answers.PROBE_BODY, channel, now)
        return _question(sent, answers.read_probe)


def _question(sent: httpx.Request, read: Callable[[Answer], T]) -> Call[T]:
    return Call(sent, lambda response: read(answers.answer_of(sent, response)))


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
