"""Vendors whose jobs are one resource: POST makes a job, GET asks about it, DELETE cancels it.

A GET without an id lists them: it tests a key, and finds a submit without an answer.
"""

import re
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from typing_extensions import override

from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import (
    Failed,
    Fault,
    FaultKind,
    Found,
    Outcome,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
    VideoResult,
)
from vidgate.providers.answers import (
    COULD_NOT_ASK,
    JOB_ID,
    KIND_OF_STATUS,
    MAY_EXIST,
    NO_SUCH_PLACE,
    Answer,
    probe_sentence,
    to_id,
    to_object,
    to_safe_sentence,
    to_time,
    to_url,
    without_video,
)
from vidgate.providers.base import (
    Call,
    CancelAnswer,
    Cancels,
    Finds,
    LostSubmit,
    ProbeAnswer,
    SubmitIds,
    Tests,
    Translation,
)
from vidgate.providers.keyed import Keyed

__all__ = ["JobResource", "ListedJobs"]

_REQUEST_ID = re.compile(r"\s*Request id:.*", re.IGNORECASE | re.DOTALL)
"""At the end of many a sentence; it is for the operator."""


class JobResource(Keyed, Cancels, Tests):
    """Jobs of which the vendor tells an `id` and a `status`.

    Attributes:
        jobs_path: Where the jobs are, below the base URL.
        listed: The member of a list that has the jobs.
        shortest_list: The query of a list of one job or none.
        key_hint: What to look at where the vendor refuses the key, as one more sentence.
        waiting: The status of a job in the vendor's queue.
        working: That of one it works on.
        done: That of one with a result.
        ended: Those of jobs without one, and why.
        codes: What the vendor's error codes mean: whole ones, and what stands before the first dot.
        parts: What parts of codes mean that have many beginnings and ends, and what a client is
            told of it; the first that is found goes before `codes`.
        documented: Fields that a client may be told of.
    """

    jobs_path: ClassVar[str]
    listed: ClassVar[str] = "items"
    shortest_list: ClassVar[str]
    key_hint: ClassVar[str] = ""
    waiting: ClassVar[str]
    working: ClassVar[str]
    done: ClassVar[str]
    ended: ClassVar[Mapping[str, FaultKind]]
    codes: ClassVar[Mapping[str, FaultKind]]
    parts: ClassVar[Mapping[str, tuple[FaultKind, str]]] = {}
    documented: ClassVar[Collection[str]]

    @abstractmethod
    def link_in(self, body: Mapping[str, Any]) -> Any:
        """Find what should be the URL of a finished job's video."""

    @abstractmethod
    def read_result(self, body: Mapping[str, Any], url: str, now: datetime) -> VideoResult:
        """Read what a finished job has made."""

    def read_fault(self, answer: Answer) -> Fault | None:
        """Tell what the error in an answer means, `None` if it has none in the vendor's form.

        That is `{"error": {"code", "message", "param"}}`. One in a success is of a job that failed.
        """
        error = to_object((answer.body or {}).get("error"))
        code, message = answer.words(error.get("code"), limit=100), error.get("message")
        if not code:
            return None
        kind, says = next((told for part, told in self.parts.items() if part in code), (None, ""))
        kind = kind or self.codes.get(code) or self.codes.get(code.partition(".")[0])
        if kind is None and answer.response.is_success:
            kind = FaultKind.FAULT
        kind = kind or KIND_OF_STATUS.get(answer.status, FaultKind.BAD_PARAMETER)
        param = ""
        if kind is FaultKind.BAD_PARAMETER:
            param = next((one for one in self.documented if one == error.get("param")), "")
            sentence = _REQUEST_ID.sub("", message) if isinstance(message, str) else ""
            says = says or to_safe_sentence(sentence, *answer.secrets, answer.sent.url.host)
        return Fault(kind, code, answer.words(message), says, answer.retry_after_seconds, param)

    @override
    def submit(
        self, translation: Translation, channel: ChannelAccess, ids: SubmitIds, now: datetime
    ) -> Call[Submission | Rejected]:
        callback = {} if ids.callback_url is None else {"callback_url": ids.callback_url}
        sent = self.call("POST", channel, translation.endpoint, {**translation.body, **callback})
        return self.question(sent, self._to_submission)

    @override
    def poll(
        self, refs: Sequence[UpstreamRef], channel: ChannelAccess, now: datetime
    ) -> Call[Mapping[UpstreamRef, Outcome]]:
        ref = refs[0]
        sent = self.call("GET", channel, self._path_of(ref))
        return self.question(sent, lambda answer: {ref: self._to_outcome(answer, ref, now)})

    @override
    def cancel(self, ref: UpstreamRef, channel: ChannelAccess, now: datetime) -> Call[CancelAnswer]:
        sent = self.call("DELETE", channel, self._path_of(ref))
        return self.question(sent, self._to_cancel_answer)

    @override
    def test(self, channel: ChannelAccess, now: datetime) -> Call[ProbeAnswer]:
        sent = self.call("GET", channel, f"{self.jobs_path}?{self.shortest_list}")
        return self.question(sent, self._to_probe_answer)

    def _path_of(self, ref: UpstreamRef) -> str:
        return f"{self.jobs_path}/{quote(ref.id, safe='')}"

    def _to_submission(self, answer: Answer) -> Submission | Rejected:
        job_id = to_id((answer.body or {}).get("id"), JOB_ID)
        if answer.response.is_success and job_id is not None:
            return Submission(UpstreamRef(job_id))
        if not answer.response.is_client_error or answer.status in MAY_EXIST:
            raise answer.unclear("no certain refusal")
        fault = self.read_fault(answer)
        if _is_elsewhere(answer, fault):
            return Rejected(answer.not_the_api(fault.code if fault else ""))
        if fault is None:
            raise answer.unclear("an error that is not the provider's own")
        if fault.kind is FaultKind.NOT_FOUND:
            # It is the request that names something which is not there.
            fault = replace(fault, kind=FaultKind.BAD_PARAMETER)
        return Rejected(fault)

    def _to_outcome(self, answer: Answer, ref: UpstreamRef, now: datetime) -> Outcome:
        body = answer.body or {}
        status = body.get("status")
        if not answer.response.is_success:
            fault = self.read_fault(answer)
            if fault is not None and fault.kind is FaultKind.NOT_FOUND:
                return Failed(fault, doubtful=True)
            raise answer.unclear(fault.code if fault else "no job")
        if not isinstance(status, str) or not status:
            raise answer.unclear("no status")
        if body.get("id") not in (None, "", ref.id):
            return Unreadable("The answer is about another job.")
        if status in (self.waiting, self.working):
            return Pending(started=status == self.working)
        if status == self.done:
            return self._to_result(body, now)
        if status in self.ended:
            kind = self.ended[status]
            fault = self.read_fault(answer) if kind is FaultKind.FAULT else None
            return Failed(fault or Fault(kind, status, "no reason told"))
        return Unreadable(
            f"The status {answer.words(status, limit=60)!r} is unknown.", is_new_word=True
        )

    def _to_result(self, body: Mapping[str, Any], now: datetime) -> Outcome:
        link = self.link_in(body)
        if link in (None, ""):
            return without_video("no_url", "success without a video")
        url = to_url(link)
        if url is None:
            return Unreadable("The finished job has a video whose URL is none.")
        return Succeeded(self.read_result(body, url, now))

    def _to_cancel_answer(self, answer: Answer) -> CancelAnswer:
        if answer.response.is_success:
            return CancelAnswer.ACCEPTED
        fault = self.read_fault(answer)
        if fault is None or not answer.response.is_client_error or fault.kind in COULD_NOT_ASK:
            raise answer.unclear(fault.code if fault else "no clear answer to a cancellation")
        if fault.kind is FaultKind.NOT_FOUND:
            return CancelAnswer.UNKNOWN
        return CancelAnswer.TOO_LATE

    def _to_probe_answer(self, answer: Answer) -> ProbeAnswer:
        who, listed = self.capabilities.title, (answer.body or {}).get(self.listed)
        if answer.response.is_success and isinstance(listed, list):
            return ProbeAnswer.good(f"The key is right, and {who} answers.")
        fault = self.read_fault(answer)
        if fault is None or _is_elsewhere(answer, fault):
            says = f"{answer.address} answers {answer.status}, and not as {who} does; check the "
            return ProbeAnswer.bad(f"{says}base URL.")
        is_key = fault.kind is FaultKind.CREDENTIAL
        sentence = f"{probe_sentence(answer, fault.kind)} {self.key_hint if is_key else ''}"
        return ProbeAnswer.bad(sentence.rstrip())


def _is_elsewhere(answer: Answer, fault: Fault | None) -> bool:
    """Whether nothing of the vendor's is where the question went: it has no words for that."""
    is_unheard = fault is None or fault.kind is FaultKind.FAULT
    return is_unheard and answer.status in NO_SUCH_PLACE


_EARLIER = timedelta(seconds=5)
_LATER = timedelta(seconds=60)
"""How far a vendor's clock may be from ours, and how long a job may take to be begun."""


class ListedJobs(JobResource, Finds):
    """Jobs that are found in a list, by when they were made and by what was sent.

    Attributes:
        page_size: Jobs on a page; one with fewer is the last.
        echoed: What a listed job tells of its request, and what that is where it was not sent;
            `None` for anything.
        left_open: What a request leaves to the vendor to choose.
    """

    proves_absence: ClassVar[bool] = False
    page_size: ClassVar[int]
    echoed: ClassVar[Mapping[str, Any]]
    left_open: ClassVar[tuple[Any, ...]] = (None,)

    @abstractmethod
    def list_query(self, lost: LostSubmit, page: int) -> Mapping[str, str]:
        """Write the query of a page of the list; the first page is 1."""

    def is_made_of(self, job: Mapping[str, Any], sent: Translation) -> bool:
        """Whether nothing that a listed job tells of its request contradicts what was sent."""
        for name, otherwise in self.echoed.items():
            asked, told = sent.body.get(name, otherwise), job.get(name)
            if told is not None and asked not in self.left_open and told != asked:
                return False
        return True

    @override
    def find(
        self, lost: LostSubmit, channel: ChannelAccess, now: datetime, *, page: Any = None
    ) -> Call[Found]:
        number = page if isinstance(page, int) else 1
        query = urlencode(self.list_query(lost, number))
        sent = self.call("GET", channel, f"{self.jobs_path}?{query}")
        return self.question(sent, lambda answer: self._to_found(answer, lost, number))

    def _to_found(self, answer: Answer, lost: LostSubmit, page: int) -> Found:
        jobs = (answer.body or {}).get(self.listed)
        if not answer.response.is_success or not isinstance(jobs, list):
            raise answer.unclear("no list of jobs")
        found = []
        for job in jobs:
            job_id = to_id(job.get("id"), JOB_ID) if isinstance(job, Mapping) else None
            created_at = to_time(job.get("created_at")) if job_id else None
            if job_id is None or created_at is None:
                raise answer.unclear("a listed job without its id or its time")
            is_near = lost.sent_at - _EARLIER <= created_at <= lost.ends_at + _LATER
            if is_near and lost.translation and self.is_made_of(job, lost.translation):
                found.append(UpstreamRef(job_id))
        is_last = len(jobs) < self.page_size
        return Found(None, next_page=None if is_last else page + 1, candidates=tuple(found))
