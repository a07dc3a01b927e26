"""Providers whose whole credential is one key, sent with every call."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import httpx
from typing_extensions import override

from vidgate.exceptions import ConfigurationError
from vidgate.models.channels import ChannelAccess
from vidgate.providers.answers import Answer, secret_of
from vidgate.providers.base import Call, Provider
from vidgate.providers.pieces import to_json

__all__ = ["Keyed"]

T = TypeVar("T")


class Keyed(Provider):
    """Writes calls with the key in `Authorization`.

    Attributes:
        scheme: The word before the key.
        whose_key: What it is and how it looks, as in `A Vidu credential is the API key alone
            (vda_…)`.
        key_form: How keys look, so that an answer's words are kept without anybody's; `None` where
            they have no form.
        speaker: Who answers, as a sentence begins; empty for the provider's title.
    """

    scheme: ClassVar[str] = "Bearer"
    whose_key: ClassVar[str]
    key_form: ClassVar[re.Pattern[str] | None] = None
    speaker: ClassVar[str] = ""

    @override
    def check_credential(self, credential: str) -> None:
        if not credential or not all("!" <= character <= "~" for character in credential):
            raise ConfigurationError(
                f"{self.whose_key}, without the word {self.scheme}, spaces or line ends."
            )

    def headers(self, channel: ChannelAccess) -> dict[str, str]:
        """The headers of every call.

        Raises:
            ConfigurationError: The key cannot be one.
        """
        credential = channel.credential.get_secret_value()
        self.check_credential(credential)
        return {"Authorization": f"{self.scheme} {credential}", "Accept": "application/json"}

    def call(
        self, method: str, channel: ChannelAccess, path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Request:
        """Write a call below a channel's base URL, with a JSON body where there is one.

        Raises:
            ConfigurationError: The key cannot be one.
        """
        headers, content = self.headers(channel), None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = to_json(body)
        return httpx.Request(method, channel.base_url + path, headers=headers, content=content)

    def question(self, sent: httpx.Request, read: Callable[[Answer], T | Call[T]]) -> Call[T]:
        """Put a request beside what reads its answer."""
        return Call(sent, lambda response: read(self.answer(sent, response)))

    def answer(self, sent: httpx.Request, response: httpx.Response) -> Answer:
        """Put an answer beside its question."""
        who = self.speaker or self.capabilities.title
        return Answer(who, sent, response, (secret_of(sent),), self.key_form)
