"""What every adapter promises in `providers/base.py`, against its documented situations."""

import ast
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from typing_extensions import override

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
from vidgate.providers.base import (
    AnswersDirectly,
    Call,
    Finds,
    LostSubmit,
    Provider,
    SubmitIds,
    Translation,
)
from vidgate.providers.registry import PROVIDERS
from vidgate.testing.situations import CORRELATION, Situations, read_situations

__all__ = ["ProviderContract", "read_answer"]

T = TypeVar("T")

_NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
_IDS: Final = SubmitIds(correlation=CORRELATION)
_ABOVE: Final = (
    *("vidgate.providers.transport", "vidgate.providers.registry", "vidgate.config"),
    *("vidgate.db", "vidgate.services", "vidgate.api", "vidgate.factory", "vidgate.cli"),
)
_IMPURE: Final = {"os", "time", "random", "secrets", "uuid", "socket", "asyncio", "subprocess"}
_IMPURE_CALLS: Final = {"now", "utcnow", "today", "getenv", "environ"}

_OF_DIRECT_CALLS: Final = "test_a_call_without_a_job_is_signed_and_refused_like_others"

_WORDS: Final = (
    *("code", "message", "data", "task_id", "task_status", "task_result", "videos", "url", "id"),
    *("status", "video_url", "state", "creations", "err_code", "credits", "reason", "tasks"),
    *("payload", "next_page_token", "outputs", "duration", "updated_at", "task_info"),
    *("ResponseMetadata", "Error", "CodeN", "Code"),
    *("error", "type", "param", "detail", "metadata", "output", "size", "seconds", "expires_at"),
)
_ODD: Final = st.recursive(
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
        st.dictionaries(st.sampled_from(_WORDS), inner, max_size=5),
    ),
    max_leaves=25,
)


def read_answer(call: Call[T], response: httpx.Response) -> T:
    """Read the answer to the last, or only, step of a call."""
    answer = call.read(response)
    assert not isinstance(answer, Call)
    return answer


class ProviderContract:
    """The tests of one provider; a subclass named `Test...` says which.

    Attributes:
        provider: Its adapter.
        folder: Where its `situations.json` and its replies are.
        situations: What stands there.
        adapter: The adapter, made.
    """

    provider: ClassVar[type[Provider]]
    folder: ClassVar[Path]
    situations: ClassVar[Situations]
    adapter: ClassVar[Provider]

    @override
    def __init_subclass__(cls, **options: Any) -> None:
        """Read the situations.

        Raises:
            SituationsError: One is missing, or cannot be used.
        """
        super().__init_subclass__(**options)
        cls.adapter = cls.provider()
        cls.situations = read_situations(cls.folder)
        if not isinstance(cls.adapter, AnswersDirectly):
            setattr(cls, _OF_DIRECT_CALLS, None)  # so it is no test

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test for each reason of a refusal, and for each direct call."""
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", self.situations.rejected)
        if "direct_call" in metafunc.fixturenames:
            assert isinstance(self.adapter, AnswersDirectly)
            metafunc.parametrize("direct_call", self.adapter.direct_calls)

    # What the tests below ask for

    def answer(self, name: str) -> httpx.Response:
        """The reply of this name."""
        return self.situations.reply(name).response()

    def access(self) -> ChannelAccess:
        """A channel of the provider."""
        return ChannelAccess(f"http://{self.adapter.name}.test", SecretStr(self.situations.key))

    def translation(self) -> Translation:
        """The plainest request, translated."""
        return self.adapter.translate(VideoRequest(model=self.situations.model, prompt="a boat"))

    def submit(self) -> Call[Submission | Rejected]:
        """Its submit."""
        return self.adapter.submit(self.translation(), self.access(), _IDS, _NOW)

    def find(self, finds: Finds, now: datetime = _NOW) -> Call[Found]:
        """A question for a submit without an answer."""
        sent = self.translation()
        lost = LostSubmit(
            endpoint=sent.endpoint, ids=_IDS, sent_at=_NOW, ends_at=_NOW, translation=sent
        )
        return finds.find(lost, self.access(), now)

    def read_submission(self, response: httpx.Response) -> Submission | Rejected:
        """What a response to the submit says."""
        return read_answer(self.submit(), response)

    def read_poll(self, response: httpx.Response) -> Outcome:
        """What a response to a poll for the one job says."""
        ref = self.situations.job
        outcomes = read_answer(self.adapter.poll([ref], self.access(), _NOW), response)
        assert set(outcomes) == {ref}
        return outcomes[ref]

    # Submitting

    def test_submitted(self) -> None:
        submission = self.read_submission(self.answer(self.situations.submitted))

        assert isinstance(submission, Submission)
        assert submission.ref.id
        assert isinstance(submission.ref.id, str)

    def test_rejected(self, kind: FaultKind) -> None:
        rejected = self.read_submission(self.answer(self.situations.rejected[kind]))

        assert isinstance(rejected, Rejected)
        assert rejected.fault.kind is kind
        assert rejected.fault.code
        assert self.situations.key not in f"{rejected}"

    def test_a_submit_that_says_nothing_certain(self) -> None:
        about = self.situations

        for reply in (about.server_error, about.html[-1], about.malformed):
            with pytest.raises(ProviderProtocolError):
                self.read_submission(self.answer(reply))

    def test_a_submit_carries_our_correlation_where_it_can_be_found(self) -> None:
        sent = self.submit().request
        found = self.situations.requests.submit.read(sent)

        assert sent.method == "POST"
        assert found is not None, "It is not the submit of the situations."
        assert b"callback" not in sent.content
        if not isinstance(self.adapter, Finds) or self.adapter.proves_absence:
            carries = isinstance(self.adapter, Finds)
            assert (_IDS.correlation.encode() in sent.content) is carries
            assert found.get("correlation") == (_IDS.correlation if carries else None)

    # Polling

    def test_running(self) -> None:
        for reply in filter(None, (self.situations.queued, *self.situations.running)):
            assert isinstance(self.read_poll(self.answer(reply)), Pending)

    def test_succeeded(self) -> None:
        outcome = self.read_poll(self.answer(self.situations.succeeded))

        assert isinstance(outcome, Succeeded)
        assert outcome.result.url == self.situations.video
        assert outcome.result.url.startswith("https://")
        assert outcome.result.expires_at is None or outcome.result.expires_at.tzinfo is not None
        assert outcome.result.cost is None or float(outcome.result.cost) >= 0

    def test_failed(self) -> None:
        outcome = self.read_poll(self.answer(self.situations.failed))

        assert isinstance(outcome, Failed)
        assert not outcome.doubtful

    def test_doubtful(self) -> None:
        for reply in filter(None, (self.situations.without_url, self.situations.not_found)):
            outcome = self.read_poll(self.answer(reply))

            assert isinstance(outcome, Failed)
            assert outcome.doubtful

    def test_an_unknown_status_is_unreadable(self) -> None:
        outcome = self.read_poll(self.answer(self.situations.unknown_status))

        assert isinstance(outcome, Unreadable)

    def test_a_poll_that_could_not_ask(self) -> None:
        about = self.situations
        kinds = (FaultKind.RATE, FaultKind.CONCURRENCY, FaultKind.CREDENTIAL)
        refused = [about.rejected[kind] for kind in kinds if kind in about.rejected]

        for reply in (about.server_error, *about.html, about.malformed, *refused):
            try:
                outcome = self.read_poll(self.answer(reply))
            except ProviderProtocolError:
                continue
            # An access key that was refused says nothing about the job either.
            assert isinstance(outcome, Unreadable), reply

    def test_a_poll_carries_the_credential_and_no_ids_of_ours(self) -> None:
        ref = self.situations.job
        sent = self.adapter.poll([ref], self.access(), _NOW).request
        found = self.situations.requests.poll.read(sent)

        assert sent.url.host == f"{self.adapter.name}.test"
        assert sent.headers["Authorization"]
        assert ref.id in f"{sent.url}{sent.content!r}"
        assert found == {"job": ref.id}, "It is not the poll of the situations."

    # Finding

    def test_what_it_finds_with_is_data_too(self) -> None:
        assert isinstance(self.adapter, Finds) is (self.situations.requests.find is not None)

    def test_a_find_that_could_not_ask(self) -> None:
        about = self.situations
        if not isinstance(self.adapter, Finds) or about.requests.find is None:
            return
        call = self.find(self.adapter, _NOW + timedelta(minutes=2))
        assert call.request.method == "GET"
        assert about.requests.find.read(call.request) is not None
        for reply in (*about.html, about.malformed, about.server_error):
            with pytest.raises(ProviderProtocolError):
                call.read(self.answer(reply))

    # Nothing at all escapes but the one error that is promised

    @given(
        body=_ODD,
        status=st.sampled_from([200, 201, 204, 301, 400, 401, 404, 408, 409, 429, 500, 503]),
        retry_after=st.sampled_from(["", "nan", "-1", "1e400", "soon", "Fri, 20 Nov 2026", "7"]),
    )
    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.differing_executors],  # one test of many classes
    )
    def test_no_answer_is_too_odd(self, body: object, status: int, retry_after: str) -> None:
        content = json.dumps(body).encode()
        headers = {"Retry-After": retry_after, "Date": "x"}

        def response() -> httpx.Response:
            return httpx.Response(status, headers=headers, content=content)

        try:
            assert isinstance(self.read_submission(response()), Submission | Rejected)
        except ProviderProtocolError as error:
            str(error).encode()
        try:
            outcome = self.read_poll(response())
            assert isinstance(outcome, Pending | Succeeded | Failed | Unreadable)
            assert "\0" not in f"{outcome}"
            f"{outcome}".encode()
        except ProviderProtocolError as error:
            str(error).encode()
        if isinstance(self.adapter, Finds):
            try:
                found = self.find(self.adapter).read(response())
                assert isinstance(found, Found)
            except ProviderProtocolError as error:
                str(error).encode()

    @pytest.mark.parametrize(
        "content",
        [b"", b"null", b"[]", b"0", b'"x"', b"\xff\xfe", b"[" * 5000, b"{" * 5000, b'{"code":'],
    )
    def test_no_bytes_are_too_odd(self, content: bytes) -> None:
        for status in (200, 500):
            with pytest.raises(ProviderProtocolError):
                self.read_submission(httpx.Response(status, content=content))
            with pytest.raises(ProviderProtocolError):
                self.read_poll(httpx.Response(status, content=content))

    def test_every_recorded_situation_is_an_outcome_or_the_promised_error(self) -> None:
        for reply in self.situations.all_replies():
            for read in (self.read_submission, self.read_poll):
                try:
                    read(self.answer(reply))
                except ProviderProtocolError as error:
                    said = str(error)
                else:
                    continue
                assert self.situations.key not in said

    # Capabilities

    def test_capabilities_are_sane(self) -> None:
        offered = self.adapter.capabilities

        assert offered.title
        assert offered.credential_form
        assert timedelta(seconds=10) <= offered.submit_timeout <= timedelta(minutes=2)
        assert timedelta(seconds=5) <= offered.poll_timeout < timedelta(seconds=30)
        if not offered.model_patterns:  # a format, which a channel gives its address and its models
            assert (offered.base_url, offered.models) == ("", {})
            return
        assert offered.base_url.startswith("https://")
        assert not offered.base_url.endswith("/")
        assert offered.models
        for model in (self.situations.model, self.situations.unknown_model):
            assert any(fnmatchcase(model, pattern) for pattern in offered.model_patterns)
        assert self.situations.unknown_model not in offered.models

    def test_every_model_is_sane(self) -> None:
        offered = self.adapter.capabilities

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

    def test_every_pace_ends(self) -> None:
        translation = self.translation()
        pace = translation.pace

        assert timedelta() < pace.interval <= pace.max_interval < pace.deadline
        assert timedelta() < pace.first_ask < pace.deadline
        assert pace.growth >= 1
        assert translation.facts.model
        json.dumps(translation.body)
        json.dumps(dict(translation.details))

    def test_no_model_belongs_to_another_provider(self) -> None:
        ours = self.adapter.capabilities
        for other in PROVIDERS:
            theirs = other.capabilities
            if other.name != self.adapter.name:
                assert not _are_of(ours.models, theirs.model_patterns), other.name
                assert not _are_of(theirs.models, ours.model_patterns), other.name

    @pytest.mark.parametrize("bad", ["", "two words", "line\nend", "tab\there"])
    def test_a_credential_that_cannot_be_one_is_refused_unquoted(self, bad: str) -> None:
        self.adapter.check_credential(self.situations.key)
        self.adapter.check_credential(self.situations.other_key)

        with pytest.raises(ConfigurationError) as caught:
            self.adapter.check_credential(bad)
        assert not bad or bad not in str(caught.value)

    @pytest.mark.parametrize("status", TaskStatus)
    def test_a_native_answer_names_our_ids_alone(self, status: TaskStatus) -> None:
        outcome = self.read_poll(self.answer(self.situations.succeeded))
        assert isinstance(outcome, Succeeded)
        is_done = status is TaskStatus.SUCCEEDED
        error = TaskError("upstream_error", "It failed.") if status is TaskStatus.FAILED else None
        task = TaskSnapshot(
            id=new_id(),
            account_id=new_id(),
            token_id=new_id(),
            revision=3,
            status=status,
            model=self.situations.model,
            provider=self.adapter.name,
            upstream_model=self.situations.model,
            created_at=_NOW,
            finished_at=_NOW if status.is_final else None,
            error=error,
            outputs=(OutputSnapshot(status=status, result=outcome.result if is_done else None),),
        )

        native = json.dumps(self.adapter.native_answer(task))

        assert str(task.account_id) not in native
        assert self.situations.job.id not in native
        upstream_id = outcome.result.upstream_id
        assert upstream_id is None or upstream_id not in native
        assert (outcome.result.url in native) is is_done

    def test_a_call_without_a_job_is_signed_and_refused_like_others(self, direct_call: str) -> None:
        adapter, about = self.adapter, self.situations
        assert isinstance(adapter, AnswersDirectly)

        call = adapter.ask(direct_call, {"x": "a boat"}, self.access(), _NOW)
        sent = call.request

        assert adapter.direct_calls[direct_call] in self.adapter.capabilities.models
        assert sent.headers["Authorization"] == self.submit().request.headers["Authorization"]
        assert sent.url.host == f"{self.adapter.name}.test"
        assert b"a boat" in sent.content
        for kind, reply in about.rejected.items():
            rejected = call.read(self.answer(reply))
            assert isinstance(rejected, Rejected)
            assert rejected.fault.kind is kind
        for reply in (about.server_error, *about.html, about.malformed):
            with pytest.raises(ProviderProtocolError):
                call.read(self.answer(reply))

    # The code itself

    def test_an_adapter_knows_no_other_and_nothing_above_it(self) -> None:
        own = self.provider.__module__
        others = (f"vidgate.providers.{one.name}" for one in PROVIDERS if one is not self.provider)
        forbidden = [
            *_ABOVE,
            *(one for one in others if own != one and not own.startswith(f"{one}.")),
        ]

        for path in _modules(self.provider):
            for name in _imported(path):
                found = [one for one in forbidden if name == one or name.startswith(f"{one}.")]
                assert not found, path

    def test_an_adapter_has_no_clock_no_chance_no_environment(self) -> None:
        for path in _modules(self.provider):
            assert not _IMPURE & {name.partition(".")[0] for name in _imported(path)}, path
            calls = {
                node.attr
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Attribute)
            }
            assert not _IMPURE_CALLS & calls, path


def _are_of(models: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether any of the models is one of these."""
    wanted = [*patterns]
    return any(fnmatchcase(model, pattern) for model in models for pattern in wanted)


def _modules(provider: type[Provider]) -> Iterator[Path]:
    """The files of an adapter: those of its package, or its one."""
    module = sys.modules[provider.__module__]
    assert module.__file__ is not None
    file = Path(module.__file__)
    is_alone = module.__package__ in ("", None, "vidgate.providers")
    yield from [file] if is_alone else sorted(file.parent.rglob("*.py"))


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names
