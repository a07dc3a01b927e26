"""Vendors whose jobs are one resource, by one that has nothing else."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from pydantic import SecretStr
from tests.support.adapters import answer
from typing_extensions import override

from vidgate.exceptions import ProviderProtocolError, UnsupportedParameterError
from vidgate.models.channels import ChannelAccess
from vidgate.models.outcomes import (
    Failed,
    Fault,
    FaultKind,
    Outcome,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
    UpstreamRef,
    VideoResult,
)
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import TaskSnapshot
from vidgate.providers.base import (
    CLIP_PACE,
    CancelAnswer,
    Capabilities,
    LostSubmit,
    ModelCapabilities,
    RunFacts,
    SubmitIds,
    Translation,
)
from vidgate.providers.resource import ListedJobs

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ACCESS = ChannelAccess("https://acme.test", SecretStr("key-of-the-channel"))
REF = UpstreamRef("j1")
LINK = "https://cdn.test/1.mp4"


class Acme(ListedJobs):
    name: ClassVar[str] = "acme"
    whose_key: ClassVar[str] = "A key of Acme is the key alone"
    capabilities: ClassVar[Capabilities] = Capabilities(
        title="Acme",
        model_patterns=("acme-*",),
        base_url="https://acme.test",
        credential_form="KEY",
        models={
            "acme-1": ModelCapabilities(name="acme-1", successor="acme-2"),
            "acme-2": ModelCapabilities(name="acme-2"),
        },
    )
    key_hint = "It is made in the console."
    jobs_path, shortest_list = "/v1/jobs", "limit=1"
    waiting, working, done = "waiting", "working", "done"
    ended: ClassVar[Mapping[str, FaultKind]] = {
        "failed": FaultKind.FAULT,
        "gone": FaultKind.EXPIRED,
    }
    codes: ClassVar[Mapping[str, FaultKind]] = {
        "BadValue": FaultKind.BAD_PARAMETER,
        "NoMoney": FaultKind.BALANCE,
        "Busy": FaultKind.RATE,
        "Busy.Slots": FaultKind.CONCURRENCY,
        "NotFound": FaultKind.NOT_FOUND,
    }
    parts: ClassVar = {"Sensitive": (FaultKind.CONTENT_POLICY, "It is not allowed.")}
    documented = ("seed",)
    page_size = 2
    echoed: ClassVar[Mapping[str, Any]] = {"seed": None, "tier": "low"}
    left_open = (None, -1)

    @override
    def link_in(self, body: Mapping[str, Any]) -> Any:
        return body.get("video")

    @override
    def read_result(self, body: Mapping[str, Any], url: str, now: datetime) -> VideoResult:
        return VideoResult(url=url)

    @override
    def list_query(self, lost: LostSubmit, page: int) -> Mapping[str, str]:
        return {"page": str(page), "since": lost.sent_at.isoformat()}

    @override
    def translate(self, request: VideoRequest) -> Translation:
        return translation({"seed": request.seed})

    @override
    def native_answer(self, task: TaskSnapshot) -> dict[str, Any]:
        return {}


def translation(body: dict[str, Any]) -> Translation:
    return Translation(
        endpoint="/v1/jobs", body=body, facts=RunFacts(model="acme-1"), pace=CLIP_PACE
    )


ADAPTER = Acme()


def refused(code: str, **members: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "No.", **members}}


def submit(response: httpx.Response) -> Submission | Rejected:
    told = ADAPTER.submit(translation({}), ACCESS, SubmitIds(correlation="vg_1"), NOW)
    read = told.read(response)
    assert isinstance(read, Submission | Rejected)
    return read


def poll(response: httpx.Response) -> Outcome:
    read = ADAPTER.poll([REF], ACCESS, NOW).read(response)
    assert isinstance(read, Mapping)
    return read[REF]


# Submitting


@pytest.mark.parametrize("callback_url", [None, "https://here.test/callbacks/acme/x"])
def test_what_is_sent(callback_url: str | None) -> None:
    ids = SubmitIds(correlation="vg_1", callback_url=callback_url)

    sent = ADAPTER.submit(translation({"seed": 5}), ACCESS, ids, NOW).request

    assert (sent.method, str(sent.url)) == ("POST", "https://acme.test/v1/jobs")
    assert sent.headers["Authorization"] == "Bearer key-of-the-channel"
    assert b'"seed":5' in sent.content
    assert (b"callback_url" in sent.content) is (callback_url is not None)


def test_an_id_is_a_job() -> None:
    assert submit(answer(201, {"id": "j1"})) == Submission(REF)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(400, refused("BadValue.Seed")), FaultKind.BAD_PARAMETER),
        (answer(400, refused("Unheard")), FaultKind.BAD_PARAMETER),
        (answer(400, refused("TextSensitive.Any")), FaultKind.CONTENT_POLICY),
        (answer(401, refused("Unheard")), FaultKind.CREDENTIAL),
        (answer(403, refused("NoMoney")), FaultKind.BALANCE),
        (answer(404, refused("Unheard")), FaultKind.FAULT),
        (answer(404, refused("NotFound.Draft")), FaultKind.BAD_PARAMETER),
        (answer(404, "<html>"), FaultKind.FAULT),
        (answer(429, refused("Busy")), FaultKind.RATE),
        (answer(429, refused("Busy.Slots")), FaultKind.CONCURRENCY),
        (answer(429, refused("Unheard")), FaultKind.RATE),
    ],
)
def test_a_certain_refusal(response: httpx.Response, kind: FaultKind) -> None:
    told = submit(response)

    assert isinstance(told, Rejected)
    assert told.fault.kind is kind


def test_an_error_of_nobodys_at_a_wrong_address_is_the_channels() -> None:
    told = submit(answer(404, refused("not_found")))

    assert isinstance(told, Rejected)
    assert told.fault.code == "not_found"
    assert "POST https://acme.test/v1/jobs answers 404" in told.fault.message


@pytest.mark.parametrize(
    "response",
    [
        *(answer(status, {}) for status in (200, 301, 400, 401, 403, 429, 500)),
        *(answer(status, refused("BadValue")) for status in (200, 408, 409, 425, 499, 500, 503)),
        answer(200, {"id": "a/../b"}),
        answer(400, "<html>"),
    ],
)
def test_what_may_have_made_a_job(response: httpx.Response) -> None:
    with pytest.raises(ProviderProtocolError):
        submit(response)


@pytest.mark.parametrize(
    ("param", "told"), [("seed", "seed"), ("secret_thing", ""), (None, ""), (["seed"], "")]
)
def test_only_documented_fields_are_named(param: Any, told: str) -> None:
    fault = submit(answer(400, refused("BadValue", param=param)))

    assert isinstance(fault, Rejected)
    assert fault.fault.param == told


def test_the_id_of_a_request_is_no_clients_business() -> None:
    message = "The seed is too large. Request id: 0217640000000000000"
    told = submit(answer(400, refused("BadValue", message=message)))

    assert isinstance(told, Rejected)
    assert told.fault.safe_message == "The seed is too large."
    assert "0217640000000000000" in told.fault.message


# Polling


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"status": "waiting"}, Pending(started=False)),
        ({"id": "j1", "status": "working"}, Pending(started=True)),
        ({"status": "done", "video": LINK}, Succeeded(VideoResult(url=LINK))),
        ({"status": "done", "video": 5}, Unreadable),
        ({"status": "new"}, Unreadable),
        ({"id": "j2", "status": "done", "video": LINK}, Unreadable),
        (
            {"status": "failed", **refused("BadValue")},
            Failed(Fault(FaultKind.BAD_PARAMETER, "BadValue", "No.", "No.")),
        ),
        (
            {"status": "failed", **refused("Unheard")},
            Failed(Fault(FaultKind.FAULT, "Unheard", "No.")),
        ),
        (
            {"status": "gone", **refused("Unheard")},
            Failed(Fault(FaultKind.EXPIRED, "gone", "no reason told")),
        ),
        ({"status": "gone"}, Failed(Fault(FaultKind.EXPIRED, "gone", "no reason told"))),
    ],
)
def test_every_status(body: dict[str, Any], outcome: Any) -> None:
    told = poll(answer(200, body))

    assert isinstance(told, outcome) if isinstance(outcome, type) else told == outcome


@pytest.mark.parametrize("body", [{"status": "done"}, {"status": "done", "video": ""}])
def test_a_finished_job_without_a_link_is_asked_about_again(body: dict[str, Any]) -> None:
    told = poll(answer(200, body))

    assert isinstance(told, Failed)
    assert told.doubtful


def test_only_what_says_so_is_not_there() -> None:
    told = poll(answer(404, refused("NotFound.Job")))

    assert isinstance(told, Failed)
    assert (told.fault.kind, told.doubtful) == (FaultKind.NOT_FOUND, True)
    for response in (answer(404, refused("Unheard")), answer(404, "<html>"), answer(429, {})):
        with pytest.raises(ProviderProtocolError):
            poll(response)


# Cancelling


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (answer(200, {}), CancelAnswer.ACCEPTED),
        (answer(204), CancelAnswer.ACCEPTED),
        (answer(400, refused("BadValue")), CancelAnswer.TOO_LATE),
        (answer(409, refused("Unheard")), CancelAnswer.TOO_LATE),
        (answer(404, refused("NotFound")), CancelAnswer.UNKNOWN),
        (answer(401, refused("Unheard")), None),
        (answer(429, refused("Busy")), None),
        (answer(500, refused("BadValue")), None),
        (answer(404, "<html>"), None),
    ],
)
def test_a_cancellation(response: httpx.Response, told: CancelAnswer | None) -> None:
    call = ADAPTER.cancel(REF, ACCESS, NOW)

    assert (call.request.method, call.request.url.path) == ("DELETE", "/v1/jobs/j1")
    if told is not None:
        assert call.read(response) is told
        return
    with pytest.raises(ProviderProtocolError):
        call.read(response)


# Testing a channel


@pytest.mark.parametrize(
    ("response", "works", "says"),
    [
        (answer(200, {"items": []}), True, "The key is right"),
        (answer(200, {}), False, "not as Acme does"),
        (answer(401, refused("Unheard")), False, "refuses the key. It is made in the console."),
        (answer(400, refused("BadValue")), False, "Acme answers 400."),
        (answer(404, refused("Unheard")), False, "not as Acme does"),
        (answer(404, "<html>"), False, "https://acme.test/v1/jobs answers 404"),
        (answer(429, refused("Busy")), False, "throttles"),
    ],
)
def test_a_channels_test(
    response: httpx.Response,
    works: bool,  # noqa: FBT001 - a table's column
    says: str,
) -> None:
    told: Any = ADAPTER.test(ACCESS, NOW).read(response)

    assert (told.works, says in told.sentence) == (works, True)


# Finding


def job(number: int, seconds: float = 0, **members: Any) -> dict[str, Any]:
    created_at = (NOW + timedelta(seconds=seconds)).timestamp()
    return {"id": f"j{number}", "created_at": created_at, **members}


def find(items: Any, body: dict[str, Any] | None, page: Any = None) -> Any:
    lost = LostSubmit(
        endpoint="/v1/jobs",
        ids=SubmitIds(correlation="vg_1"),
        sent_at=NOW,
        ends_at=NOW + timedelta(seconds=90),
        translation=None if body is None else translation(body),
    )
    call = ADAPTER.find(lost, ACCESS, NOW + timedelta(minutes=3), page=page)
    assert call.request.url.params["page"] == str(page or 1)
    return call.read(answer(200, {"items": items}))


@pytest.mark.parametrize(
    ("listed", "body", "is_found"),
    [
        (job(1), {"seed": 5}, True),
        (job(1, seed=5), {"seed": 5}, True),
        (job(1, seed=6), {"seed": 5}, False),
        (job(1, seed=6), {"seed": -1}, True),
        (job(1, seed=6), {}, True),
        (job(1, tier="low"), {}, True),
        (job(1, tier="high"), {}, False),
        (job(1, tier="high"), {"tier": "high"}, True),
        (job(1, -5), {}, True),
        (job(1, -6), {}, False),
        (job(1, 150), {}, True),
        (job(1, 151), {}, False),
        (job(1), None, False),
    ],
)
def test_what_may_be_the_lost_one(
    listed: dict[str, Any],
    body: dict[str, Any] | None,
    is_found: bool,  # noqa: FBT001 - a table's column
) -> None:
    found = find([listed], body)

    assert found.candidates == ((REF,) if is_found else ())
    assert (found.ref, found.next_page) == (None, None)


def test_a_full_page_is_not_the_last() -> None:
    assert find([job(1), job(2)], {}).next_page == 2
    assert find([job(1), job(2)], {}, page=7).next_page == 8
    assert find([job(3)], {}, page=8).next_page is None


@pytest.mark.parametrize(
    "items", [None, {}, ["j1"], [{"id": "j1"}], [{"id": "a/b", "created_at": 1795828500}]]
)
def test_a_list_that_cannot_be_read_proves_nothing(items: Any) -> None:
    with pytest.raises(ProviderProtocolError):
        find(items, {})


# Retired models


def test_a_retired_model_runs_as_its_successor_or_is_refused() -> None:
    assert [ADAPTER.live_model(one) for one in ("acme-1", "acme-2", "else")] == [
        *("acme-2", "acme-2", "else")
    ]
    with pytest.raises(UnsupportedParameterError) as caught:
        Acme(map_retired_models=False).live_model("acme-1")
    assert (caught.value.param, caught.value.allowed) == ("model", ("acme-2",))
