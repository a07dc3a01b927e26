import pytest
from tests.support.adapters import answer
from tests.support.calls import read_answer
from tests.support.jimeng import (
    ACCESS,
    GATEWAY,
    IDS,
    JIMENG,
    NOW,
    access,
    gateway_error,
    poll,
    reply,
    sent_submit,
    service_error,
    submit,
)

from vidgate.exceptions import ProviderProtocolError
from vidgate.models.outcomes import (
    FaultKind,
    Rejected,
    Submission,
    UpstreamRef,
)
from vidgate.models.requests import VideoRequest


@pytest.mark.parametrize(
    ("name", "task_id"),
    [
        ("submit_accepted", "7512000000000000001"),
        ("submit_accepted_20_digits", "18446744073709551610"),
        ("submit_accepted_number_id", "18446744073709551610"),
        ("submit_accepted_bare", "7512000000000000001"),
        ("submit_accepted_wrapped", "7512000000000000001"),
    ],
)
def test_submit_accepted(name: str, task_id: str) -> None:
    assert submit(reply(name)) == Submission(UpstreamRef(task_id, "jimeng_ti2v_v30_pro"))


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("submit_rate", FaultKind.RATE, "50429"),
        ("submit_concurrency", FaultKind.CONCURRENCY, "50430"),
        ("submit_concurrency_wrapped", FaultKind.CONCURRENCY, "50430"),
        ("submit_moderation", FaultKind.CONTENT_POLICY, "50413"),
        ("submit_bad_parameter", FaultKind.BAD_PARAMETER, "50200"),
        ("submit_not_opened", FaultKind.MODEL_UNAVAILABLE, "50400"),
        ("submit_signature", FaultKind.CREDENTIAL, "SignatureDoesNotMatch"),
        ("html_429", FaultKind.RATE, "429"),
    ],
)
def test_submit_rejected(name: str, kind: FaultKind, code: str) -> None:
    result = submit(reply(name))

    assert isinstance(result, Rejected)
    assert (result.fault.kind, result.fault.code) == (kind, code)


@pytest.mark.parametrize(
    "name",
    [
        "submit_accepted_without_id",
        "submit_internal",
        "submit_gateway_timeout",
        "html_502",
        "html_200",
        "truncated",
    ],
)
def test_submit_unclear(name: str) -> None:
    with pytest.raises(ProviderProtocolError):
        submit(reply(name))


@pytest.mark.parametrize("http_status", [200, 400])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (50411, FaultKind.CONTENT_POLICY),
        (50412, FaultKind.CONTENT_POLICY),
        (50413, FaultKind.CONTENT_POLICY),
        (50511, FaultKind.CONTENT_POLICY),
        (50512, FaultKind.CONTENT_POLICY),
        (50513, FaultKind.CONTENT_POLICY),
        (50514, FaultKind.CONTENT_POLICY),
        (50516, FaultKind.CONTENT_POLICY),
        (50517, FaultKind.CONTENT_POLICY),
        (50518, FaultKind.CONTENT_POLICY),
        (50519, FaultKind.CONTENT_POLICY),
        (50520, FaultKind.FAULT),
        (50521, FaultKind.FAULT),
        (50522, FaultKind.FAULT),
        (50429, FaultKind.RATE),
        (50430, FaultKind.CONCURRENCY),
        (50215, FaultKind.BAD_PARAMETER),
        (50200, FaultKind.BAD_PARAMETER),
        (50400, FaultKind.MODEL_UNAVAILABLE),
        (30403, FaultKind.MODEL_UNAVAILABLE),
        (30404, FaultKind.MODEL_UNAVAILABLE),
    ],
)
def test_service_code_on_submit(http_status: int, code: int, kind: FaultKind) -> None:
    result = submit(service_error(http_status, code))

    assert isinstance(result, Rejected)
    assert result.fault.kind is kind
    assert result.fault.code == str(code)
    assert result.fault.message == "said [request r1]"
    is_about_the_request = kind in {FaultKind.CONTENT_POLICY, FaultKind.BAD_PARAMETER}
    assert is_about_the_request == result.fault.safe_message.endswith(": said.")


@pytest.mark.parametrize("code", [50500, 50501])
@pytest.mark.parametrize("http_status", [200, 400, 429, 500])
def test_internal_errors_on_submit_are_unclear(http_status: int, code: int) -> None:
    with pytest.raises(ProviderProtocolError):
        submit(service_error(http_status, code))


def test_unknown_code_on_submit_is_definite_unless_the_service_failed() -> None:
    for http_status in (200, 400):
        definite = submit(service_error(http_status, 61234))
        assert isinstance(definite, Rejected)
        assert definite.fault.kind is FaultKind.FAULT
    for http_status, code in ((302, 61234), (500, 61234), (200, 50599), (200, 503)):
        with pytest.raises(ProviderProtocolError):
            submit(service_error(http_status, code))


def test_refusal_that_names_a_job_is_unclear() -> None:
    body = {"code": 50430, "data": {"task_id": "7512000000000000001"}, "message": "m"}

    with pytest.raises(ProviderProtocolError):
        submit(answer(200, body))


@pytest.mark.parametrize(("http_status", "number", "word", "kind"), GATEWAY)
def test_gateway_code_on_submit(http_status: int, number: int, word: str, kind: FaultKind) -> None:
    for error in ({"CodeN": number, "Code": word}, {"CodeN": number}, {"Code": word}):
        result = submit(gateway_error(http_status, Message="said", **error))
        assert isinstance(result, Rejected)
        assert result.fault.kind is kind
        assert result.fault.code == error.get("Code", str(number))


@pytest.mark.parametrize(
    ("http_status", "number", "word"),
    [
        (500, 100014, "InternalError"),
        (502, 100023, "InternalServiceError"),
        (503, 100019, "ServiceUnavailableTemp"),
        (504, 100016, "InternalServiceTimeout"),
    ],
)
def test_gateway_faults_on_submit_are_unclear(http_status: int, number: int, word: str) -> None:
    for status in (http_status, 200, 400):
        for error in ({"CodeN": number, "Code": word}, {"CodeN": number}, {"Code": word}):
            with pytest.raises(ProviderProtocolError):
                submit(gateway_error(status, **error))


def test_unknown_gateway_code_on_submit() -> None:
    refused = submit(gateway_error(403, CodeN=100999, Code="SomethingNew"))

    assert isinstance(refused, Rejected)
    assert (refused.fault.kind, refused.fault.code) == (FaultKind.FAULT, "SomethingNew")
    assert isinstance(submit(gateway_error(200, CodeN=100999, Code="SomethingNew")), Rejected)
    for word in ("InternalNew", "NewServiceTimeout", "NewUnavailable"):
        with pytest.raises(ProviderProtocolError):
            submit(gateway_error(200, CodeN=100999, Code=word))
    with pytest.raises(ProviderProtocolError):
        submit(gateway_error(400, Message="no code at all"))


def test_retry_after() -> None:
    body = {"code": 50429, "data": None, "message": "slow down"}

    rejected = submit(answer(429, body, **{"retry-after": "3"}))
    with pytest.raises(ProviderProtocolError) as caught:
        poll(answer(429, body, **{"retry-after": "3"}))

    assert isinstance(rejected, Rejected)
    assert rejected.fault.retry_after_seconds == 3
    assert caught.value.retry_after_seconds == 3


def test_nothing_secret_of_ours_comes_back_in_a_message() -> None:
    translation = JIMENG.translate(VideoRequest(model="jimeng_v30_pro", prompt="a boat"))
    sent = JIMENG.submit(translation, access(session_token="STStoken=="), IDS, NOW)
    signature = sent.request.headers["authorization"].rpartition("=")[2]
    echo = f"key {ACCESS} token STStoken== signature {signature}"

    result = read_answer(sent, gateway_error(401, Code="AccessDenied", Message=echo))

    assert isinstance(result, Rejected)
    assert result.fault.message == "key [key] token [key] signature [key] [request r1]"


REFUSED_RATIO = "The provider refused the value of aspect_ratio."


@pytest.mark.parametrize(
    ("code", "message", "sentence"),
    [
        (50200, "Invalid Input Parameters: aspect_ratio of account 2100012345 at internal.host",
         REFUSED_RATIO),
        (50200, f"Invalid Input Parameters: aspect_ratio for {ACCESS}", REFUSED_RATIO),
        (50200, "Invalid Input Parameters: aspect_ratio", REFUSED_RATIO),
        (50200, "Invalid Input Parameters: aspect_ratio must be 16:9.",
         "The provider refused the value of aspect_ratio: aspect_ratio must be 16:9."),
        (50215, "Input invalid for this service.",
         "The provider refused the request: Input invalid for this service."),
        (50215, "Invalid Input Parameters", ""),
        (50215, "no room in queue 10.0.0.1", ""),
        (50412, "Text Risk Not Pass",
         "The provider's moderation refused the prompt: Text Risk Not Pass."),
        (50412, "", "The provider's moderation refused the prompt."),
        (50412, "req_id 20250101", "The provider's moderation refused the prompt."),
    ],
)  # fmt: skip
def test_a_client_learns_the_service_s_sentence_where_it_is_harmless(
    code: int, message: str, sentence: str
) -> None:
    result = submit(service_error(400, code, message))

    assert isinstance(result, Rejected)
    assert result.fault.safe_message == sentence


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Invalid Input Parameters: frames and seed", "frames"),
        ("output_resolution is wrong", "output_resolution"),
        ("Invalid Input Parameters", ""),
        ("the frameset is wrong", ""),
    ],
)
@pytest.mark.parametrize("code", [50200, 50215])
def test_refusal_names_its_field_where_the_message_does(
    code: int, message: str, param: str
) -> None:
    result = submit(service_error(400, code, message))

    assert isinstance(result, Rejected)
    assert (result.fault.kind, result.fault.param) == (FaultKind.BAD_PARAMETER, param)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (50200, "Invalid Input Parameters: req_key"),
        (50200, "Invalid Input Parameters: req_key and frames"),
        (50200, "jimeng_t2v_v99 does not exist"),
        (50400, "Access Denied"),
        (30404, "FeatNotFound"),
    ],
)
def test_a_key_that_does_not_exist_there_is_an_unavailable_model(code: int, message: str) -> None:
    result = read_answer(sent_submit("jimeng_t2v_v99"), service_error(400, code, message))

    assert isinstance(result, Rejected)
    assert result.fault.kind is FaultKind.MODEL_UNAVAILABLE
    assert (result.fault.safe_message, result.fault.param) == ("", "")


@pytest.mark.parametrize("key", ["this req_key", "jimeng_ti2v_v30_pro"])
def test_a_refused_field_beside_the_key_is_the_fields(key: str) -> None:
    result = submit(service_error(400, 50200, f"frames is not taken with {key}"))

    assert isinstance(result, Rejected)
    assert (result.fault.kind, result.fault.param) == (FaultKind.BAD_PARAMETER, "frames")
