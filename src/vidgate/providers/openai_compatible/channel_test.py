"""From the answer to `GET /v1/models` to a sentence for the operator."""

from vidgate.providers.answers import Answer, probe_sentence
from vidgate.providers.base import ProbeAnswer
from vidgate.providers.openai_compatible.faults import read_error, to_fault

__all__ = ["MODELS", "to_probe_answer"]

MODELS = "/models"

_NO_LIST = frozenset({404, 405, 501})


def to_probe_answer(answer: Answer) -> ProbeAnswer:
    """Say what the question for models tells of a channel."""
    body, status, where = answer.body, answer.status, answer.address
    if body is None:
        return ProbeAnswer.bad(
            f"{where} answers {status}, and not with JSON; check the base URL: its path, or /v1 "
            "where it has none, is the server's whole prefix."
        )
    if answer.response.is_success:
        models = body.get("data")
        if not isinstance(models, list):
            return ProbeAnswer.bad(f"{where} answers, but not as an OpenAI-compatible server does.")
        return ProbeAnswer.good(f"The key is right; {len(models)} models listed.")
    if status in _NO_LIST:
        return ProbeAnswer.good(
            "The server answers but lists no models, so that the key could not be checked; the "
            f"first video will tell. {where} answers {status}: check the base URL."
        )
    error = read_error(answer, body)
    kind = to_fault(error, answer).kind if error else None
    return ProbeAnswer.bad(probe_sentence(answer, kind))
