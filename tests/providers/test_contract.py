"""What every adapter in the registry promises in `base.py`, against its recorded situations."""

import ast
import json
import os
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.support.calls import read_answer
from tests.support.engine import KEYS
from tests.support.upstreams import DATA, MODELS, NAMES, SITUATIONS

import vidgate.providers
from vidgate.exceptions import ConfigurationError, ProviderProtocolError
from vidgate.models.channels import ChannelAccess
from vidgate.models.ids import new_id
from vidgate.models.outcomes import (
    Failed,
    FaultKind,
    Found,
    Outcome,
    Pending,
    Rejected,
    Submission,
    Succeeded,
    Unreadable,
)
from vidgate.models.requests import VideoRequest
from vidgate.models.tasks import OutputSnapshot, TaskError, TaskSnapshot, TaskStatus
from vidgate.providers.base import AnswersDirectly, Call, Finds, LostSubmit, Provider, SubmitIds
from vidgate.providers.registry import PROVIDERS, build_providers
from vidgate.testing.situations import read_situations

SOURCE = Path(vidgate.providers.__file__).parent
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
IDS = SubmitIds(correlation="vg_0123456789abcdef")
LOST = LostSubmit(endpoint="/e", ids=IDS, sent_at=NOW, ends_at=NOW)
ADAPTERS = build_providers(map_retired_models=True)


EVERY = pytest.mark.parametrize("name", NAMES)


def answer(name: str, file: str) -> httpx.Response:
    return SITUATIONS[name].reply(file).response()


def access(name: str) -> ChannelAccess:
    return ChannelAccess(f"http://{name}.test", SecretStr(KEYS[name]))


def submit(name: str) -> Call[Submission | Rejected]:
    adapter = ADAPTERS[name]
    translation = adapter.translate(VideoRequest(model=MODELS[name], prompt="a boat"))
    return adapter.submit(translation, access(name), IDS, NOW)


def read_submission(name: str, response: httpx.Response) -> Submission | Rejected:
    return read_answer(submit(name), response)


def read_poll(name: str, response: httpx.Response) -> Outcome:
    ref = SITUATIONS[name].job
    outcomes = read_answer(ADAPTERS[name].poll([ref], access(name), NOW), response)
    assert set(outcomes) == {ref}
    return outcomes[ref]


# Submitting


@EVERY
def test_submitted(name: str) -> None:
    submission = read_submission(name, answer(name, SITUATIONS[name].submitted))

    assert isinstance(submission, Submission)
    assert submission.ref.id
    assert isinstance(submission.ref.id, str)


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, files in SITUATIONS.items() for kind in files.rejected],
)
def test_rejected(name: str, kind: FaultKind) -> None:
    rejected = read_submission(name, answer(name, SITUATIONS[name].rejected[kind]))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.kind is kind
    assert rejected.fault.code
    assert KEYS[name] not in f"{rejected}"


@EVERY
def test_a_submit_that_says_nothing_certain(name: str) -> None:
    files = SITUATIONS[name]

    for file in (files.server_error, files.html[-1], files.malformed):
        with pytest.raises(ProviderProtocolError):
            read_submission(name, answer(name, file))


# Polling


@EVERY
def test_running(name: str) -> None:
    about = SITUATIONS[name]
    for file in filter(None, (about.queued, *about.running)):
        assert isinstance(read_poll(name, answer(name, file)), Pending)


@EVERY
def test_succeeded(name: str) -> None:
    outcome = read_poll(name, answer(name, SITUATIONS[name].succeeded))

    assert isinstance(outcome, Succeeded)
    assert outcome.result.url == SITUATIONS[name].video
    assert outcome.result.url.startswith("https://")
    assert outcome.result.expires_at is None or outcome.result.expires_at.tzinfo is not None
    assert outcome.result.cost is None or float(outcome.result.cost) >= 0


@EVERY
def test_failed(name: str) -> None:
    outcome = read_poll(name, answer(name, SITUATIONS[name].failed))

    assert isinstance(outcome, Failed)
    assert not outcome.doubtful


@EVERY
def test_doubtful(name: str) -> None:
    for file in filter(None, (SITUATIONS[name].without_url, SITUATIONS[name].not_found)):
        outcome = read_poll(name, answer(name, file))

        assert isinstance(outcome, Failed)
        assert outcome.doubtful


@EVERY
def test_an_unknown_status_is_unreadable(name: str) -> None:
    assert isinstance(read_poll(name, answer(name, SITUATIONS[name].unknown_status)), Unreadable)


@EVERY
def test_a_poll_that_could_not_ask(name: str) -> None:
    files = SITUATIONS[name]
    kinds = (FaultKind.RATE, FaultKind.CONCURRENCY, FaultKind.CREDENTIAL)
    refused = [files.rejected[kind] for kind in kinds if kind in files.rejected]

    for file in (files.server_error, *files.html, files.malformed, *refused):
        try:
            outcome = read_poll(name, answer(name, file))
        except ProviderProtocolError:
            continue
        # An access key that was refused says nothing about the job either.
        assert isinstance(outcome, Unreadable), file


@EVERY
def test_a_poll_carries_the_credential_and_no_ids_of_ours(name: str) -> None:
    ref = SITUATIONS[name].job
    sent = ADAPTERS[name].poll([ref], access(name), NOW).request

    assert sent.url.host == f"{name}.test"
    assert sent.headers["Authorization"]
    assert ref.id in f"{sent.url}{sent.content!r}"


# Finding


@EVERY
def test_a_find_that_could_not_ask(name: str) -> None:
    adapter = ADAPTERS[name]

    if isinstance(adapter, Finds):
        call = adapter.find(LOST, access(name), NOW + timedelta(minutes=2))
        assert call.request.method == "GET"
        for file in (
            *SITUATIONS[name].html,
            SITUATIONS[name].malformed,
            SITUATIONS[name].server_error,
        ):
            with pytest.raises(ProviderProtocolError):
                call.read(answer(name, file))


# Nothing at all escapes but the one error that is promised


WORDS = (
    *("code", "message", "data", "task_id", "task_status", "task_result", "videos", "url", "id"),
    *("status", "video_url", "state", "creations", "err_code", "credits", "reason", "tasks"),
    *("payload", "next_page_token", "outputs", "duration", "updated_at", "task_info"),
    *("ResponseMetadata", "Error", "CodeN", "Code"),
    *("error", "type", "param", "detail", "metadata", "output", "size", "seconds", "expires_at"),
)

ODD = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**25), 10**25),
        st.floats(),
        st.sampled_from(
            ["", "success", "succeed", "done", "failed", "0", "10000", "http://[", "\0", "\ud800"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=25,
)


@EVERY
@given(
    body=ODD,
    status=st.sampled_from([200, 201, 204, 301, 400, 401, 404, 408, 409, 429, 500, 503]),
    retry_after=st.sampled_from(["", "nan", "-1", "1e400", "soon", "Fri, 20 Nov 2026", "7"]),
)
@settings(max_examples=150, deadline=None)
def test_no_answer_is_too_odd(name: str, body: object, status: int, retry_after: str) -> None:
    content = json.dumps(body).encode()
    headers = {"Retry-After": retry_after, "Date": "x"}
    adapter = ADAPTERS[name]

    def response() -> httpx.Response:
        return httpx.Response(status, headers=headers, content=content)

    try:
        assert isinstance(read_submission(name, response()), Submission | Rejected)
    except ProviderProtocolError as error:
        str(error).encode()
    try:
        outcome = read_poll(name, response())
        assert isinstance(outcome, Pending | Succeeded | Failed | Unreadable)
        assert "\0" not in f"{outcome}"
        f"{outcome}".encode()
    except ProviderProtocolError as error:
        str(error).encode()
    if isinstance(adapter, Finds):
        try:
            assert isinstance(adapter.find(LOST, access(name), NOW).read(response()), Found)
        except ProviderProtocolError as error:
            str(error).encode()


@EVERY
@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"0", b'"x"', b"\xff\xfe", b"[" * 5000, b"{" * 5000, b'{"code":'],
)
def test_no_bytes_are_too_odd(name: str, content: bytes) -> None:
    for status in (200, 500):
        for read in (read_submission, read_poll):
            with pytest.raises(ProviderProtocolError):
                read(name, httpx.Response(status, content=content))


@EVERY
def test_every_recorded_situation_is_an_outcome_or_the_promised_error(name: str) -> None:
    for file in SITUATIONS[name].all_replies():
        for read in (read_submission, read_poll):
            try:
                read(name, answer(name, file))
            except ProviderProtocolError as error:
                said = str(error)
            else:
                continue
            assert KEYS[name] not in said


# Capabilities


@EVERY
def test_capabilities_are_sane(name: str) -> None:
    adapter = ADAPTERS[name]
    offered = adapter.capabilities

    assert adapter.name == name
    assert offered.credential_form
    assert timedelta(seconds=10) <= offered.submit_timeout <= timedelta(minutes=2)
    assert timedelta(seconds=5) <= offered.poll_timeout < timedelta(seconds=30)
    if not offered.model_patterns:  # a format, which a channel gives its address and its models
        assert (offered.base_url, offered.models) == ("", {})
        return
    assert offered.base_url.startswith("https://")
    assert not offered.base_url.endswith("/")
    assert any(fnmatchcase(MODELS[name], pattern) for pattern in offered.model_patterns)
    assert offered.models


@EVERY
def test_every_model_is_sane(name: str) -> None:
    offered = ADAPTERS[name].capabilities

    for key, model in offered.models.items():
        assert model.name == key
        assert any(fnmatchcase(key, pattern) for pattern in offered.model_patterns)
        assert model.successor is None or model.successor in offered.models
        assert model.actions
        for action in model.actions.values():
            assert action.endpoint
            assert list(action.durations) == sorted(set(action.durations))
            assert all(0 <= seconds <= 60 for seconds in action.durations)
            least, most = action.images
            assert 0 <= least <= most
            assert all(len(ratio.split(":")) == 2 for ratio in action.ratios)


@EVERY
def test_every_pace_ends(name: str) -> None:
    adapter = ADAPTERS[name]
    translation = adapter.translate(VideoRequest(model=MODELS[name], prompt="a boat"))
    pace = translation.pace

    assert timedelta() < pace.interval <= pace.max_interval < pace.deadline
    assert timedelta() < pace.first_ask < pace.deadline
    assert pace.growth >= 1
    assert translation.facts.model
    json.dumps(translation.body)
    json.dumps(dict(translation.details))


def test_no_model_belongs_to_two_providers() -> None:
    for name, adapter in ADAPTERS.items():
        for other_name, other in ADAPTERS.items():
            for model in other.capabilities.models:
                patterns = adapter.capabilities.model_patterns
                is_ours = any(fnmatchcase(model, pattern) for pattern in patterns)
                assert is_ours == (name == other_name)


@EVERY
def test_a_credential_that_cannot_be_one_is_refused_unquoted(name: str) -> None:
    adapter = ADAPTERS[name]
    adapter.check_credential(KEYS[name])

    for bad in ("", "two words", "line\nend", "tab\there"):
        with pytest.raises(ConfigurationError) as caught:
            adapter.check_credential(bad)
        assert not bad or bad not in str(caught.value)


@EVERY
def test_a_submit_carries_our_correlation_where_it_can_be_found(name: str) -> None:
    sent = submit(name).request

    assert sent.method == "POST"
    assert (IDS.correlation.encode() in sent.content) is isinstance(ADAPTERS[name], Finds)
    assert b"callback" not in sent.content


@EVERY
@pytest.mark.parametrize("status", TaskStatus)
def test_a_native_answer_names_our_ids_alone(name: str, status: TaskStatus) -> None:
    outcome = read_poll(name, answer(name, SITUATIONS[name].succeeded))
    assert isinstance(outcome, Succeeded)
    is_done = status is TaskStatus.SUCCEEDED
    error = TaskError("upstream_error", "It failed.") if status is TaskStatus.FAILED else None
    task = TaskSnapshot(
        id=new_id(),
        account_id=new_id(),
        revision=3,
        status=status,
        model=MODELS[name],
        provider=name,
        upstream_model=MODELS[name],
        created_at=NOW,
        finished_at=NOW if status.is_final else None,
        error=error,
        outputs=(OutputSnapshot(status=status, result=outcome.result if is_done else None),),
    )

    native = json.dumps(ADAPTERS[name].native_answer(task))

    assert str(task.account_id) not in native
    assert SITUATIONS[name].job.id not in native
    upstream_id = outcome.result.upstream_id
    assert upstream_id is None or upstream_id not in native
    assert (outcome.result.url in native) is is_done


# The code itself


def modules(adapter: type[Provider]) -> list[Path]:
    package = SOURCE / adapter.name
    return sorted(package.rglob("*.py")) if package.is_dir() else [SOURCE / f"{adapter.name}.py"]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("adapter", PROVIDERS)
def test_an_adapter_knows_no_other_and_nothing_above_it(adapter: type[Provider]) -> None:
    forbidden = {f"vidgate.providers.{one.name}" for one in PROVIDERS if one is not adapter}
    forbidden |= {"vidgate.providers.transport", "vidgate.providers.registry", "vidgate.config"}
    forbidden |= {"vidgate.db", "vidgate.services", "vidgate.api", "vidgate.factory", "vidgate.cli"}

    for path in modules(adapter):
        for name in imported(path):
            found = [one for one in forbidden if name == one or name.startswith(f"{one}.")]
            assert not found, path


@pytest.mark.parametrize("adapter", PROVIDERS)
def test_an_adapter_has_no_clock_no_chance_no_environment(adapter: type[Provider]) -> None:
    forbidden = {"os", "time", "random", "secrets", "uuid", "socket", "asyncio", "subprocess"}

    for path in modules(adapter):
        assert not forbidden & {name.partition(".")[0] for name in imported(path)}, path
        calls = [
            node.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
        ]
        assert not {"now", "utcnow", "today", "getenv", "environ"} & set(calls), path


DIRECT_CALLS = [
    (name, direct_call)
    for name, adapter in ADAPTERS.items()
    if isinstance(adapter, AnswersDirectly) and name in NAMES
    for direct_call in adapter.direct_calls
]


@pytest.mark.parametrize(("name", "direct_call"), DIRECT_CALLS)
def test_a_call_without_a_job_is_signed_and_refused_like_others(
    name: str, direct_call: str
) -> None:
    adapter, files = ADAPTERS[name], SITUATIONS[name]
    assert isinstance(adapter, AnswersDirectly)

    call = adapter.ask(direct_call, {"x": "a boat"}, access(name), NOW)
    sent = call.request

    assert adapter.direct_calls[direct_call] in ADAPTERS[name].capabilities.models
    assert sent.headers["Authorization"] == submit(name).request.headers["Authorization"]
    assert str(sent.url).startswith(f"http://{name}.test/")
    assert b"a boat" in sent.content
    for kind, file in files.rejected.items():
        rejected = call.read(answer(name, file))
        assert isinstance(rejected, Rejected)
        assert rejected.fault.kind is kind
    for file in (files.server_error, *files.html, files.malformed):
        with pytest.raises(ProviderProtocolError):
            call.read(answer(name, file))


def test_the_registry_is_whole() -> None:
    on_disk = {
        entry.name for entry in os.scandir(SOURCE) if entry.is_dir() and entry.name != "__pycache__"
    }

    assert {one.name for one in PROVIDERS} == on_disk - {"transport"}
    assert len({one.name for one in PROVIDERS}) == len(PROVIDERS)


@pytest.mark.parametrize("provider", [one.name for one in PROVIDERS])
def test_every_provider_has_its_situations(provider: str) -> None:
    read_situations(DATA / provider)
