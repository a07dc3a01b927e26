"""Vidu (Shengshu), API /ent/v2.

Documentation: https://platform.vidu.com/docs and https://platform.vidu.cn/docs, read 2026-11-20.

What is odd about it:

- The word before the key is `Token`. The accounts of the two sites are separate.
- The endpoint is chosen by what a request carries, and every model has its own set of them. What
  a model has no first-frame endpoint for, it takes as references.
- An error's word is in `reason`; `code` is a number or the same word again. Failures of a job
  come as `err_code` inside an HTTP 200.
- Result URLs live 24 hours.
- There is no idempotency key. `payload` comes back in the list of jobs; by it we find a submit
  that was not answered.
- Off-peak jobs may take 48 hours.
- A callback's signature is made with the key of the channel and does not cover the body.
- Four endpoints take no `model`; here they are called `vidu-upscale`, `vidu-lip-sync`,
  `vidu-template` and `vidu-template-story`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from pydantic import SecretStr
from typing_extensions import override

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Found, Outcome, Rejected, Submission, UpstreamRef
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import (
    Call,
    Callback,
    CallsBack,
    CancelAnswer,
    Cancels,
    Capabilities,
    Finds,
    FollowsUp,
    LostSubmit,
    ProbeAnswer,
    SubmitIds,
    Tests,
    Translation,
)
from vidgate.providers.keyed import Keyed
from vidgate.providers.vidu import answers
from vidgate.providers.vidu.callbacks import check_signature
from vidgate.providers.vidu.choosing import model_to_permit
from vidgate.providers.vidu.follow_ups import OBJECT_FIELDS, to_follow_up
from vidgate.providers.vidu.models import MODELS
from vidgate.providers.vidu.translation import to_translation, to_vocabulary
from vidgate.providers.vidu.vendor_answers import to_native
from vidgate.providers.words import translate_words

__all__ = ["Vidu"]

_TASKS = "/ent/v2/tasks"
_CREDITS = "/ent/v2/credits?show_detail=false"

_FIND_MARGIN = timedelta(seconds=60)
"""How far the provider's clock may be behind ours."""

_EXAMPLE: Final[Mapping[str, Any]] = {
    "model": "viduq1",
    "prompt": "一个穿着宇航服的宇航员在月球上行走, 高品质, 电影级",
    "size": "1920x1080",
    "image": (
        "https://prod-ss-images.s3.cn-northwest-1.amazonaws.com.cn/vidu-maas/template/"
        "image2video.png"
    ),
    "duration": 5,
    "metadata": {
        "duration": 5,
        "seed": 0,
        "resolution": "1080p",
        "movement_amplitude": "auto",
        "bgm": False,
        "payload": "",
        "callback_url": "https://your-callback-url.com/webhook",
    },
}


class Vidu(Keyed, FollowsUp, Finds, Cancels, Tests, CallsBack):
    """Jobs at the endpoints of `endpoints.py`, each asked for at `/ent/v2/tasks`."""

    name: ClassVar[str] = "vidu"
    scheme: ClassVar[str] = "Token"
    key_form: ClassVar = re.compile(r"\bvda_[A-Za-z0-9_-]+")
    whose_key: ClassVar[str] = "A Vidu credential is the API key alone (vda_…)"
    capabilities: ClassVar[Capabilities] = Capabilities(
        title="Vidu",
        model_patterns=("vidu*",),
        base_url="https://api.vidu.com",
        credential_form="API_KEY",
        api_prefix=("/ent/v2",),
        models=MODELS,
        object_fields=OBJECT_FIELDS,
        prompt_fields=frozenset(
            {"prompt", "video_url", "video_creation_id", "template", "story", "subjects"}
        ),
        echo_fields={"payload": None},
        example=_EXAMPLE,
    )

    effective_model = staticmethod(model_to_permit)
    follow_up = staticmethod(to_follow_up)
    native_answer = staticmethod(to_native)

    @override
    def translate(self, request: VideoRequest) -> Translation:
        return translate_words(request, to_vocabulary(request), self._translate)

    def _translate(self, request: VideoRequest) -> Translation:
        model, maps = self.live_model(request.model), self.map_retired_models
        return to_translation(request, model, map_retired_models=maps)

    @override
    def submit(
        self, translation: Translation, channel: ChannelAccess, ids: SubmitIds, now: datetime
    ) -> Call[Submission | Rejected]:
        body = {**translation.body, "payload": ids.correlation}
        if ids.callback_url is not None:
            body["callback_url"] = ids.callback_url
        sent = self.call("POST", channel, translation.endpoint, body)
        return self.question(sent, answers.to_submission)

    @override
    def poll(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[UpstreamRef, Outcome]]:
        ref = refs[0]
        job_id = quote(ref.id, safe="")
        sent = self.call("GET", channel, f"{_TASKS}/{job_id}/creations")
        return self.question(sent, lambda answer: {ref: answers.to_outcome(answer, ref, now)})

    @override
    def find(
        self, lost: LostSubmit, channel: ChannelAccess, now: datetime, *, page: Any = None
    ) -> Call[Found]:
        since = (lost.sent_at - _FIND_MARGIN).astimezone(UTC).replace(microsecond=0)
        page = page if isinstance(page, dict) else {"page": 0}
        query = {"created_at.from": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if "token" in page:
            query["pager.page_token"] = str(page["token"])
        else:
            query["pager.page"] = str(page.get("page", 0))
        query["pager.pagesz"] = str(answers.PAGE_SIZE)
        sent = self.call("GET", channel, f"{_TASKS}?{urlencode(query)}")
        correlation = lost.ids.correlation
        return self.question(
            sent, lambda answer: answers.to_found(answer, correlation, since, page)
        )

    @override
    def cancel(self, ref: UpstreamRef, channel: ChannelAccess, now: datetime) -> Call[CancelAnswer]:
        job_id = quote(ref.id, safe="")
        sent = self.call("POST", channel, f"{_TASKS}/{job_id}/cancel", {"id": ref.id})
        return self.question(sent, answers.to_cancel_answer)

    @override
    def test(self, channel: ChannelAccess, now: datetime) -> Call[ProbeAnswer]:
        sent = self.call("GET", channel, _CREDITS)
        return self.question(sent, answers.to_probe_answer)

    @override
    def check_callback(
        self, callback: Callback, channel: ChannelAccess, secret: SecretStr | None
    ) -> None:
        # The vendor signs with the key that made the job, and knows no other secret.
        check_signature(callback, channel.credential.get_secret_value())
