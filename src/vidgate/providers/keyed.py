"""Providers whose whole credential is one key, sent with every call."""

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from typing_extensions import override

from vidgate.exceptions import ConfigurationError
from vidgate.models.channels import ChannelAccess
from vidgate.providers.base import Provider
from vidgate.providers.pieces import to_json

__all__ = ["Keyed"]


class Keyed(Provider):
    """Writes calls with the key in `Authorization`.

    Attributes:
        scheme: The word before the key.
        whose_key: What it is and how it looks, as in `A Vidu credential is the API key alone
            (vda_…)`.
    """

    scheme: ClassVar[str] = "Bearer"
    whose_key: ClassVar[str]

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
