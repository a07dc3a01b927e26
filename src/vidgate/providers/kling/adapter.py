"""Kling AI (Kuaishou): everything it has for video.

Documentation: https://kling.ai/document-api/ (every page also as Markdown), read 2026-09-20.
Two generations of API live on one host, and we speak both; the model's name says which:

- legacy (`kling-v3`, `kling-video-o1` and the like; always for lip-sync, avatar, effects and the
  edit of objects): a flat body below `/v1/videos/`, read back at the path that created it, success
  spelt `succeed`;
- new (`kling-3.0`, `kling-o1` and the like): the model in the path, `contents`, `settings` and
  `options`, read back at `/tasks` up to 20 at a time, success spelt `succeeded`.

Oddities: the code in the body decides, not the HTTP status, and errors come inside HTTP 200 too.
`external_task_id` is unique in the whole account: it finds a submit that got no answer, and
makes it safe to send again. An access key with its secret works on legacy paths only. Nothing can
be cancelled. A video asked for with 5 s lasts 5.041 s. There is no seed, and no frame rate to
choose. Result URLs live for 30 days.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
from pydantic import SecretStr
from typing_extensions import override

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import (
    Failed,
    Fault,
    FaultKind,
    Found,
    Outcome,
    Rejected,
    Submission,
    Unreadable,
    UpstreamRef,
)
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import FollowUp, TaskSnapshot
from vidgate.providers.answers import NO_SUCH_PLACE
from vidgate.providers.base import (
    AnswersDirectly,
    Call,
    Callback,
    CallsBack,
    Capabilities,
    Finds,
    FollowsUp,
    LostSubmit,
    ProbeAnswer,
    Provider,
    SubmitIds,
    Tests,
    Translation,
)
from vidgate.providers.kling.answers import (
    NOT_SERVED,
    Envelope,
    Job,
    answer_of,
    job_id,
    read_envelope,
    read_legacy_job,
    read_new_job,
)
from vidgate.providers.kling.channel_test import probe_path, read_probe
from vidgate.providers.kling.choosing import effective_model
from vidgate.providers.kling.direct_calls import (
    DIRECT_CALLS,
    LEGACY_VIDEOS,
    SESSION_FIELDS,
    read_data,
)
from vidgate.providers.kling.fields import VOCABULARY
from vidgate.providers.kling.follow_ups import follow_up
from vidgate.providers.kling.generations import objects
from vidgate.providers.kling.lip_sync import first_step, second_step
from vidgate.providers.kling.models import ADVANCED_LIP_SYNC, CAPABILITIES, IDENTIFY_FACE
from vidgate.providers.kling.signing import bearer, check_callback, check_credential, has_api_key
from vidgate.providers.kling.translation import translate
from vidgate.providers.kling.vendor_answers import envelope, legacy_entry
from vidgate.providers.pieces import to_json
from vidgate.providers.words import translate_words

__all__ = ["Kling"]

_NEW_KIND = "tasks"
"""`UpstreamRef.kind` of the new generation; of the legacy one it is the path that made the job."""

_NEW_PATH = re.compile(r"/(text-to-video|image-to-video|omni-video|motion-control)/[^/]+$")

_BATCH = 20
"""Ids in one question; with 21 it is refused."""

_NO_SUCH_METHOD = 1202


class Kling(Provider, FollowsUp, Finds, Tests, CallsBack, AnswersDirectly):
    """Kling AI."""

    name: ClassVar[str] = "kling"
    capabilities: ClassVar[Capabilities] = CAPABILITIES
    direct_calls: ClassVar[Mapping[str, str]] = DIRECT_CALLS
    session_fields: ClassVar[frozenset[str]] = SESSION_FIELDS

    @override
    def effective_model(self, request: VideoRequest) -> str:
        return effective_model(request)

    @override
    def check_credential(self, credential: str) -> None:
        check_credential(credential)

    @override
    def follow_up(
        self, kind: FollowUp, source: TaskSnapshot, request: VideoRequest
    ) -> VideoRequest:
        return follow_up(kind, source, request)

    @override
    def translate(self, request: VideoRequest) -> Translation:
        return translate_words(
            request,
            VOCABULARY,
            lambda decided: translate(decided, map_retired_models=self.map_retired_models),
        )

    @override
    def submit(
        self, translation: Translation, channel: ChannelAccess, ids: SubmitIds, now: datetime
    ) -> Call[Submission | Rejected]:
        ours = {"external_task_id": ids.correlation}
        if ids.callback_url is not None:
            ours["callback_url"] = ids.callback_url
        endpoint, body = translation.endpoint, dict(translation.body)
        is_new = _is_new(endpoint)
        body |= {"options": {**body.get("options", {}), **ours}} if is_new else ours

        def submit(body: Mapping[str, Any]) -> Call[Submission | Rejected]:
            sent = _request(endpoint, channel, now, is_new=is_new, body=body)
            return Call(sent, lambda response: _read_submission(sent, response, endpoint))

        steps = first_step(endpoint, body)
        if steps is None:
            return submit(body)
        search, following = steps
        sent = _request(IDENTIFY_FACE, channel, now, is_new=False, body=search)

        def read(response: httpx.Response) -> Rejected | Call[Submission | Rejected]:
            said = _envelope_of_submit(sent, response)
            chosen = said if isinstance(said, Rejected) else second_step(following, said)
            return chosen if isinstance(chosen, Rejected) else submit(chosen)

        return Call(sent, read)

    @override
    def batch_size(self, ref: UpstreamRef) -> int:
        return _BATCH if ref.kind == _NEW_KIND else 1

    @override
    def poll(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[UpstreamRef, Outcome]]:
        is_new = refs[0].kind == _NEW_KIND
        identifiers = ",".join(quote(ref.id, safe="") for ref in refs)
        path = f"/tasks?task_ids={identifiers}" if is_new else f"{refs[0].kind}/{identifiers}"
        sent = _request(path, channel, now, is_new=is_new)
        return Call(sent, lambda response: _read_poll(read_envelope(sent, response), refs))

    @override
    def find(
        self, lost: LostSubmit, channel: ChannelAccess, now: datetime, *, page: Any = None
    ) -> Call[Found]:
        is_new = _is_new(lost.endpoint)
        external_id = quote(lost.ids.correlation, safe="")
        # Lip-syncs are not said to be found at their own path by an id of ours; the list of the new
        # generation has legacy jobs too, but is not open to an access key.
        in_list = is_new or (lost.endpoint == ADVANCED_LIP_SYNC and has_api_key(channel.credential))
        listed = f"/tasks?external_task_ids={external_id}"
        path = listed if in_list else f"{lost.endpoint}/{external_id}"
        sent = _request(path, channel, now, is_new=is_new)
        return Call(
            sent,
            lambda response: _read_find(read_envelope(sent, response), lost, in_list=in_list),
        )

    @override
    def ask(
        self, name: str, body: Mapping[str, Any], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[str, Any] | Rejected]:
        sent = _request(LEGACY_VIDEOS + name, channel, now, is_new=False, body=body)
        return Call(sent, lambda response: read_data(read_envelope(sent, response)))

    @override
    def test(self, channel: ChannelAccess, now: datetime) -> Call[ProbeAnswer]:
        sent = _request(probe_path(now), channel, now, is_new=False)
        api_key = has_api_key(channel.credential)
        return Call(sent, lambda response: read_probe(sent, response, api_key=api_key))

    @override
    def check_callback(
        self, callback: Callback, channel: ChannelAccess, secret: SecretStr | None
    ) -> None:
        check_callback(callback, secret)

    @override
    def native_answer(self, task: TaskSnapshot) -> dict[str, Any]:
        return envelope(legacy_entry(task), task.public_id)


# Questions


def _request(
    path: str,
    channel: ChannelAccess,
    now: datetime,
    *,
    is_new: bool,
    body: Mapping[str, Any] | None = None,
) -> httpx.Request:
    """A GET, or the POST of a body."""
    token = bearer(channel.credential, now, is_new=is_new)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    method, content = ("GET", None) if body is None else ("POST", to_json(body))
    return httpx.Request(method, channel.base_url + path, headers=headers, content=content)


def _is_new(path: str) -> bool:
    return _NEW_PATH.search(path) is not None


def _kind(endpoint: str) -> str:
    return _NEW_KIND if _is_new(endpoint) else endpoint


# Answers


def _read_submission(
    sent: httpx.Request, response: httpx.Response, endpoint: str
) -> Submission | Rejected:
    envelope = _envelope_of_submit(sent, response)
    if isinstance(envelope, Rejected):
        return envelope
    data = envelope.data if isinstance(envelope.data, Mapping) else {}
    if envelope.is_accepted:
        identifier = job_id(data.get("id" if _is_new(endpoint) else "task_id"))
        if identifier is None:
            raise envelope.error("accepted a job and gave no id")
        return Submission(UpstreamRef(identifier, _kind(endpoint)))
    fault = envelope.refusal()
    if fault is None or any(job_id(data.get(name)) for name in ("id", "task_id")):
        raise envelope.error("and may have made a job")
    is_nowhere = envelope.status in NO_SUCH_PLACE
    if is_nowhere and envelope.code == _NO_SUCH_METHOD and _is_new(endpoint):
        # The model is in the path, so no path means no model.
        return Rejected(envelope.fault(FaultKind.MODEL_UNAVAILABLE, NOT_SERVED))
    if is_nowhere and not envelope.is_known:
        return Rejected(envelope.not_the_api())
    return Rejected(fault)


def _envelope_of_submit(sent: httpx.Request, response: httpx.Response) -> Envelope | Rejected:
    try:
        return read_envelope(sent, response)
    except ProviderProtocolError:
        if response.status_code in NO_SUCH_PLACE:
            return Rejected(answer_of(sent, response).not_the_api())
        raise


def _read_poll(envelope: Envelope, refs: Sequence[UpstreamRef]) -> Mapping[UpstreamRef, Outcome]:
    in_list = refs[0].kind == _NEW_KIND
    if not in_list and envelope.says_no_such_task:
        fault = Fault(FaultKind.NOT_FOUND, str(envelope.code), envelope.message)
        return dict.fromkeys(refs, Failed(fault, doubtful=True))
    jobs = {job.id: job for job in _jobs(envelope, in_list=in_list)}
    missing = Unreadable("The job is missing from the answer.")
    return {ref: jobs[ref.id].outcome() if ref.id in jobs else missing for ref in refs}


def _read_find(envelope: Envelope, lost: LostSubmit, *, in_list: bool) -> Found:
    if not in_list and envelope.says_no_such_task:
        return Found(None)
    jobs = _jobs(envelope, in_list=in_list)
    if in_list and not envelope.data:
        return Found(None)
    # One that does not repeat our id is ours when it is the only answer to it.
    ours = [job for job in jobs if job.external_id == lost.ids.correlation] or [
        job for job in jobs if not job.external_id and len(jobs) == 1
    ]
    if len(ours) != 1 or ours[0].id is None:
        raise envelope.error("about another job")
    return Found(UpstreamRef(ours[0].id, _kind(lost.endpoint)))


def _jobs(envelope: Envelope, *, in_list: bool) -> list[Job]:
    data = envelope.data
    if not envelope.is_accepted or envelope.status >= httpx.codes.BAD_REQUEST:
        raise envelope.error("and could not be asked")
    if in_list and isinstance(data, list):
        return [read_new_job(entry) for entry in objects(data)]
    if not in_list and isinstance(data, Mapping):
        return [read_legacy_job(data)]
    is_other = "list of jobs is not a list" if in_list else "job is not an object"
    raise envelope.error(f"and its {is_other}")
