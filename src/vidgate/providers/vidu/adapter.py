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
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import httpx
from typing_extensions import override

from vidgate.exceptions import ConfigurationError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import Found, Outcome, Rejected, Submission, Unreadable, UpstreamRef
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskSnapshot, TaskStatus
from vidgate.providers.base import Capabilities, Provider, SubmitIds, Translation
from vidgate.providers.vidu.models import MODELS
from vidgate.providers.vidu.replies import (
    ASKED_AT,
    FIND_PAGE,
    FIND_SINCE,
    PAGE_SIZE,
    to_found,
    to_outcome,
    to_submission,
)
from vidgate.providers.vidu.translation import to_json, to_translation

__all__ = ["Vidu"]

_TASKS = "/ent/v2/tasks"

_FIND_MARGIN = timedelta(seconds=60)
"""How far the provider's clock may be behind ours."""

_STATES: Mapping[TaskStatus, str] = {
    TaskStatus.QUEUED: "queueing",
    TaskStatus.IN_PROGRESS: "processing",
    TaskStatus.SUCCEEDED: "success",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "failed",
}
"""The vendor has no state of its own for a cancelled job, but an error code."""

_NATIVE_CODES: Mapping[str, str] = {
    "cancelled": "UserCancelled",
    "content_policy_violation": "CreationPolicyViolation",
    "invalid_parameter": "FieldInvalid",
    "unsupported_parameter": "FieldInvalid",
}


class Vidu(Provider):
    """Jobs at `/ent/v2/{text2video,img2video,start-end2video,reference2video}`."""

    name: ClassVar[str] = "vidu"
    capabilities: ClassVar[Capabilities] = Capabilities(
        model_patterns=("vidu*",),
        base_url="https://api.vidu.com",
        credential_form="API_KEY",
        models=MODELS,
        find=True,
    )

    @override
    def check_credential(self, credential: str) -> None:
        if not credential or not all("!" <= character <= "~" for character in credential):
            raise ConfigurationError(
                "A Vidu credential is the API key alone (vda_…), without the word Token, spaces "
                "or line ends."
            )

    # Submitting

    @override
    def translate(self, request: VideoRequest) -> Translation:
        return to_translation(request)

    @override
    def submit_request(
        self, translation: Translation, channel: ChannelAccess, ids: SubmitIds, now: datetime
    ) -> httpx.Request:
        body = {**translation.body, "payload": ids.correlation}
        if ids.callback_url is not None:
            body["callback_url"] = ids.callback_url
        return httpx.Request(
            "POST",
            channel.base_url + translation.endpoint,
            headers={**self._headers(channel), "Content-Type": "application/json"},
            content=to_json(body),
        )

    @override
    def read_submission(
        self, sent: httpx.Request, response: httpx.Response
    ) -> Submission | Rejected:
        return to_submission(sent, response)

    # Polling

    @override
    def poll_request(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> httpx.Request:
        job_id = quote(refs[0].id, safe="")
        return httpx.Request(
            "GET",
            f"{channel.base_url}{_TASKS}/{job_id}/creations",
            headers=self._headers(channel),
            extensions={ASKED_AT: now},
        )

    @override
    def read_poll(
        self, sent: httpx.Request, response: httpx.Response, refs: Sequence[UpstreamRef]
    ) -> Mapping[UpstreamRef, Outcome]:
        outcomes: dict[UpstreamRef, Outcome] = {
            ref: Unreadable("One question is about one job.") for ref in refs[1:]
        }
        if refs:
            outcomes[refs[0]] = to_outcome(sent, response, refs[0])
        return outcomes

    # Finding a submit without an answer

    @override
    def find_request(
        self,
        translation_endpoint: str,
        channel: ChannelAccess,
        ids: SubmitIds,
        sent_at: datetime,
        now: datetime,
        *,
        page: Any = None,
    ) -> httpx.Request:
        since = (sent_at - _FIND_MARGIN).astimezone(UTC).replace(microsecond=0)
        page = page if isinstance(page, dict) else {"page": 0}
        query = {"created_at.from": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if "token" in page:
            query["pager.page_token"] = str(page["token"])
        else:
            query["pager.page"] = str(page.get("page", 0))
        query["pager.pagesz"] = str(PAGE_SIZE)
        return httpx.Request(
            "GET",
            f"{channel.base_url}{_TASKS}?{urlencode(query)}",
            headers=self._headers(channel),
            extensions={FIND_PAGE: page, FIND_SINCE: since},
        )

    @override
    def read_find(
        self,
        sent: httpx.Request,
        response: httpx.Response,
        translation_endpoint: str,
        ids: SubmitIds,
    ) -> Found:
        return to_found(sent, response, ids.correlation)

    # Vendor-shaped answers

    @override
    def native_answer(self, task: TaskSnapshot) -> dict[str, Any]:
        payload = task.echo.get("payload")
        code = "" if task.error is None else _NATIVE_CODES.get(task.error.code, _NATIVE_FAULT)
        if task.status is TaskStatus.CANCELLED:
            code = "UserCancelled"
        return {
            "id": task.public_id,
            "type": task.details.get("action", ""),
            "model": task.model,
            "state": _STATES[task.status],
            "err_code": code,
            "err_msg": "" if task.error is None else task.error.message,
            "credits": _credits(task),
            "payload": payload if isinstance(payload, str) else "",
            "off_peak": task.details.get("off_peak") is True,
            "progress": task.progress,
            "creations": _creations(task),
        }

    def _headers(self, channel: ChannelAccess) -> dict[str, str]:
        credential = channel.credential.get_secret_value()
        self.check_credential(credential)
        return {"Authorization": f"Token {credential}", "Accept": "application/json"}


_NATIVE_FAULT = "InternalServiceFailure"


def _credits(task: TaskSnapshot) -> int | float:
    costs = [
        Decimal(output.result.cost)
        for output in task.outputs
        if output.result and output.result.cost and output.result.cost_unit == "credits"
    ]
    total = sum(costs, Decimal(0))
    return int(total) if total == total.to_integral_value() else float(total)


def _creations(task: TaskSnapshot) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{task.public_id}_{number}",
            "url": result.url,
            "cover_url": result.cover_url or "",
            "watermarked_url": result.watermarked_url or "",
            "video": {
                "duration": result.duration_seconds,
                "fps": result.fps,
                "resolution": {"width": result.width, "height": result.height},
            },
        }
        for number, output in enumerate(task.outputs)
        if (result := output.result) is not None
    ]
