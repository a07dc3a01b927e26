"""What clients are told of faults: a job that may be paid for is never advised to be repeated."""

import re

import pytest
from tests.support.engine import Engine
from tests.support.upstreams import MODELS, Upstream, refusal, refusals

from vidgate.models.outcomes import Failed, Fault, FaultKind
from vidgate.providers.jimeng.answers import _MODERATION, Reply, to_fault
from vidgate.providers.kling.answers import read_legacy_job
from vidgate.providers.vidu.faults import _CODES, ErrorBody, to_job_fault
from vidgate.services.attempts.faults import UNKNOWN_OUTCOME, to_task_error

ADVICE = re.compile(r"\bagain(?! at once)\b|\bretry\b|\bresubmit\b|another seed", re.IGNORECASE)


def sentences() -> list[str]:
    faults = [Fault(kind, "x", "y") for kind in FaultKind]
    faults += [to_job_fault(ErrorBody(code, "")) for code in _CODES]
    faults += [Fault(FaultKind.CONTENT_POLICY, "x", "y", text) for text in _MODERATION.values()]
    return sorted({to_task_error(fault, has_job=True).message for fault in faults})


@pytest.mark.parametrize(("name", "kind"), refusals(FaultKind.CREDENTIAL, FaultKind.BALANCE))
async def test_an_account_is_told_alike_by_every_provider(
    engine: Engine, name: str, kind: FaultKind
) -> None:
    await engine.channel(name)
    Upstream(engine.router, name).on_submit = [refusal(name, kind)]

    error = await engine.refused(MODELS[name])

    assert (error.code, error.message) == (
        "upstream_account_error",
        "The provider does not serve this deployment at the moment; tell its operator.",
    )


@pytest.mark.parametrize("sentence", sentences())
def test_nobody_is_advised_to_pay_for_another_job(sentence: str) -> None:
    assert sentence.endswith(".")
    assert not ADVICE.search(sentence)


def test_a_submit_of_which_nobody_can_tell_is_not_advised_to_be_repeated() -> None:
    told = UNKNOWN_OUTCOME.message.replace("It was not submitted again", "")
    assert not ADVICE.search(told)


@pytest.mark.parametrize(
    "message",
    [
        "internal error, please try again later",
        "Generation failed. Please retry.",
        "failed, submit the task again",
        "service busy, please resubmit",
        "生成失败 请重试",
    ],
)
def test_nor_in_the_words_of_the_vendor(message: str) -> None:
    job = {"task_id": "1", "task_status": "failed", "task_status_msg": message}

    outcome = read_legacy_job(job).outcome()

    assert isinstance(outcome, Failed)
    assert outcome.fault.message == message
    assert outcome.fault.safe_message == "Kling failed."
    refusal = Reply(50411, 50411, message, message)
    assert to_fault(FaultKind.CONTENT_POLICY, refusal).safe_message == _MODERATION[50411]
