"""Any server that speaks OpenAI's videos format: a vidgate, a new-api, a LiteLLM, a reseller.

The format: `POST /v1/videos`, `GET /v1/videos/{id}`, `GET /v1/videos/{id}/content`, as the types of
OpenAI's SDK for Python (2.x, `openai/types/video*.py`, read 2026-11-20) have it. OpenAI's own
service ended on 2026-09-24: this is a format, no vendor, and knows no model. A channel has a base
URL and lists its models.

Where compatible servers differ, and what is done about it:

- A body is JSON. One inline picture makes it a form with the file `input_reference`, which all
  take.
- One picture's URL is `input_reference: {"image_url": …}`, as the SDK has it. A new-api knows text
  there and refuses the object; a client of such a channel sends the picture inline, or
  `metadata: {"image": …}`, which is then sent instead. Several pictures are `images`, a list of
  URLs and `data:` URIs: no part of the format, but known to vidgate, new-api and its descendants.
- A size is `size: "1280x720"`; a shape without pixels is the vendor field `aspect_ratio`.
- Vendor fields travel twice: at the top level, where plain servers and vidgate look, and as members
  of `metadata`, where new-api looks and where vidgate finds the same again. Fields of the format
  itself stand at the top level only. In a form, which has no types, what is not text is in
  `metadata` alone.
- A status has many words, an answer may lie in an envelope (`{"code": "success", "data": …}`),
  and a URL at many places; all that are known are read. Where a finished job has no URL, or names
  its own content endpoint, the video is fetched there with the key.
- There is no way to find a job by an id of ours and none to cancel one. `Idempotency-Key` carries
  the correlation: a vidgate never makes two jobs for one key, others ignore it.
- A finished video can be remixed, edited and extended by the id of its job, at the channel that
  made it. A refusal there is about the video, so no other channel could help.
- A server may name a URL that leads into its own network. The video is fetched at the content
  endpoint with the key then.
- Not all servers have their endpoints below `/v1`: a path of the base URL is the whole prefix.
- What a 5xx means is unknown but for words that gateways give before they ask anybody, and for a
  vidgate's 502 (`upstream_error` with `x-should-retry: false`): then no job exists.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote, urlsplit

import httpx
from typing_extensions import override

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Outcome, Rejected, Submission, UpstreamRef, VideoResult
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import (
    Call,
    Capabilities,
    FollowsUp,
    ProbeAnswer,
    ServesContent,
    SubmitIds,
    Tests,
    Translation,
)
from vidgate.providers.keyed import Keyed
from vidgate.providers.openai_compatible import answers
from vidgate.providers.openai_compatible.bodies import to_content
from vidgate.providers.openai_compatible.follow_ups import OBJECT_FIELDS, VIDEOS, to_follow_up
from vidgate.providers.openai_compatible.translation import VOCABULARY, to_translation
from vidgate.providers.openai_compatible.vendor_answers import to_native
from vidgate.providers.words import translate_words

__all__ = ["OpenAICompatible"]


class OpenAICompatible(Keyed, FollowsUp, Tests, ServesContent):
    """Jobs at `/v1/videos` of whatever server the operator names."""

    name: ClassVar[str] = "openai_compatible"
    speaker: ClassVar[str] = "The server"
    key_form: ClassVar = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}")
    whose_key: ClassVar[str] = (
        "The credential of an OpenAI-compatible server is the API key alone (sk-…)"
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        title="OpenAI-compatible servers",
        model_patterns=(),
        base_url="",
        credential_form="API_KEY",
        object_fields=OBJECT_FIELDS,
    )

    follow_up = staticmethod(to_follow_up)
    native_answer = staticmethod(to_native)

    @override
    def translate(self, request: VideoRequest) -> Translation:
        return translate_words(request, VOCABULARY, to_translation)

    @override
    def submit(
        self, translation: Translation, channel: ChannelAccess, ids: SubmitIds, now: datetime
    ) -> Call[Submission | Rejected]:
        content_type, content = to_content(translation.body, ids.correlation)
        own = {"Content-Type": content_type, "Idempotency-Key": ids.correlation}
        url, headers = _base(channel) + translation.endpoint, {**self.headers(channel), **own}
        sent = httpx.Request("POST", url, headers=headers, content=content)
        return self.question(sent, answers.to_submission)

    @override
    def poll(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[UpstreamRef, Outcome]]:
        ref = refs[0]
        sent = httpx.Request("GET", _job_url(ref, channel), headers=self.headers(channel))
        return self.question(sent, lambda answer: {ref: answers.to_outcome(answer, ref)})

    @override
    def test(self, channel: ChannelAccess, now: datetime) -> Call[ProbeAnswer]:
        sent = httpx.Request("GET", f"{_base(channel)}/models", headers=self.headers(channel))
        return self.question(sent, answers.to_probe_answer)

    @override
    def content(
        self, ref: UpstreamRef | None, result: VideoResult, channel: ChannelAccess, now: datetime
    ) -> httpx.Request | None:
        if result.protected:
            # The URL was made from the channel's own; should it ever lead elsewhere, the key does
            # not.
            is_theirs = urlsplit(result.url)[:2] == urlsplit(channel.base_url)[:2]
            url, headers = result.url, self.headers(channel) if is_theirs else {}
        elif ref is None:
            return None
        else:
            url, headers = f"{_job_url(ref, channel)}/content", self.headers(channel)
        return httpx.Request("GET", url, headers={**headers, "Accept": "*/*"})


def _job_url(ref: UpstreamRef, channel: ChannelAccess) -> str:
    return f"{_base(channel)}{VIDEOS}/{quote(ref.id, safe='')}"


def _base(channel: ChannelAccess) -> str:
    """The server's whole prefix: the path of the base URL, `/v1` where it has none."""
    base_url = channel.base_url.rstrip("/")
    return base_url if urlsplit(base_url).path else f"{base_url}/v1"
