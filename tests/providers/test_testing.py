"""The contract suite itself: it runs on a folder anywhere, says what is missing, and notices."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from tests.support.upstreams import DATA
from typing_extensions import override

from vidgate.models.outcomes import FaultKind, Outcome, Pending, UpstreamRef
from vidgate.models.requests import VideoRequest
from vidgate.providers.base import Call, Translation
from vidgate.providers.kling import Kling
from vidgate.providers.vidu import Vidu
from vidgate.testing import ProviderContract, SituationsError, read_situations

FOLDER = DATA / "vidu"


def contract_of(adapter: type[Vidu] | type[Kling], at: Path = FOLDER) -> ProviderContract:
    """As a package of its own would have it, but for the name, by which it would be collected."""
    members = {"provider": adapter, "folder": at}
    made: type[ProviderContract] = type("Contract", (ProviderContract,), members)
    return made()


def copied(tmp_path: Path, **changes: Any) -> Path:
    """A folder with other situations; `None` leaves one out."""
    folder = tmp_path / "acme"
    shutil.copytree(FOLDER, folder)
    path = folder / "situations.json"
    situations = {**json.loads(path.read_text()), **changes}
    path.write_text(
        json.dumps({name: one for name, one in situations.items() if one != "left out"})
    )
    return folder


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"not_found": "left out"}, "not_found: Field required"),
        ({"running": []}, "running: "),
        ({"runing": "running"}, "runing: Extra inputs"),
        ({"failed": "no_such_file"}, "no_such_file.json: No such file"),
        ({"rejected": {"rate": "no_such_file"}}, "no_such_file.json: No such file"),
        ({"rejected": {"odd": "rejected"}}, "rejected.odd"),
        (
            {"requests": {"submit": {"method": "POST", "path": "/"}}},
            "requests.poll: Field required",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(SituationsError, match=told):
        read_situations(copied(tmp_path, **changes))


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_what_is_no_data_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "situations.json").write_text(content)

    with pytest.raises(SituationsError, match=r"situations\.json: "):
        read_situations(tmp_path)


def test_a_provider_without_any_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SituationsError, match=r"situations\.json: No such file"):
        contract_of(Vidu, tmp_path)


class Guesses(Vidu):
    """It takes every status for a running job."""

    @override
    def poll(self, refs: Any, *args: Any) -> Call[Any]:
        asked = super().poll(refs, *args)

        def read(_: httpx.Response) -> dict[UpstreamRef, Outcome]:
            return {ref: Pending(started=True) for ref in refs}

        return Call(asked.request, read)


class Nameless(Vidu):
    """It sends no id of ours."""

    @override
    def submit(self, *args: Any) -> Call[Any]:
        call = super().submit(*args)
        sent = json.loads(call.request.content)
        del sent["payload"]
        return Call(httpx.Request("POST", call.request.url, json=sent), call.read)


class Elsewhere(Vidu):
    """Its paths are not those of the situations."""

    @override
    def translate(self, request: VideoRequest) -> Translation:
        return replace(super().translate(request), endpoint="/ent/v2/elsewhere")


@pytest.mark.parametrize(
    ("adapter", "broken"),
    [
        (Guesses, "test_an_unknown_status_is_unreadable"),
        (Guesses, "test_succeeded"),
        (Guesses, "test_failed"),
        (Guesses, "test_doubtful"),
        (Nameless, "test_a_submit_carries_our_correlation_where_it_can_be_found"),
        (Elsewhere, "test_a_submit_carries_our_correlation_where_it_can_be_found"),
    ],
)
def test_an_adapter_that_breaks_a_promise_is_noticed(adapter: type[Vidu], broken: str) -> None:
    getattr(contract_of(Vidu), broken)()

    with pytest.raises(AssertionError):
        getattr(contract_of(adapter), broken)()


def test_there_is_a_test_for_every_refusal_that_the_situations_have() -> None:
    class Metafunc:
        fixturenames: ClassVar = ["kind"]
        found: ClassVar[dict[str, Any]] = {}

        def parametrize(self, name: str, values: Any) -> None:
            self.found[name] = [*values]

    contract = contract_of(Vidu)
    metafunc: Any = Metafunc()
    contract.pytest_generate_tests(metafunc)

    assert set(Metafunc.found["kind"]) == set(contract.situations.rejected)
    assert FaultKind.RATE in Metafunc.found["kind"]


def test_direct_calls_are_tested_where_there_are_some() -> None:
    name = "test_a_call_without_a_job_is_signed_and_refused_like_others"

    assert getattr(contract_of(Vidu), name) is None
    assert callable(getattr(contract_of(Kling, DATA / "kling"), name))
