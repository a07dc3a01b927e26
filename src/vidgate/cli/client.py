"""A client of the new-api dialect."""

import ipaddress
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from vidgate.exceptions import ConfigurationError, VidgateError

__all__ = ["Client", "ClientError", "TaskLostError", "is_local", "warnings_in"]

_PATH = "/v1/video/generations"
_TIMEOUT = httpx.Timeout(120, connect=10)
"""Seconds; a POST is answered after 20 at the latest, once its body is there."""

_PAUSE_SECONDS = 2.0
_SHORTEST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0

_PATIENCE_SECONDS = 300.0
"""How long a gateway that does not answer is asked again: longer than a restart takes."""


class ClientError(VidgateError):
    """The gateway refused, with a message for people."""


class TaskLostError(VidgateError):
    """The task is there and the gateway could not be asked about it any more."""


class Client:
    """Talks to one gateway with one token.

    Args:
        url: Where it is served; also as an SDK has it, with `/v1`, or without a scheme.

    Attributes:
        url: The same, written out.
    """

    def __init__(self, url: str, token: str) -> None:
        if not token.isascii() or not token.isprintable():
            raise ConfigurationError("The token has characters that no token has.")
        self.url = url = _written_out(url)
        try:
            self._http = httpx.Client(
                base_url=url,
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT,
                trust_env=not is_local(url),
            )
        except (httpx.InvalidURL, ValueError):
            raise ConfigurationError(f"{url!r} is not a URL.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def submit(self, body: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Create a task; return its id, and sentences that warn of what is not done to the letter.

        It is never repeated: that might be paid for twice.

        Raises:
            ClientError: The gateway refused or cannot be reached.
        """
        try:
            response = self._http.post(_PATH, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol):
            raise ClientError(f"Nothing answers at {self.url}; is vidgate running there?") from None
        except httpx.HTTPError:
            raise ClientError(
                "The gateway did not answer, and the task may exist; `vidgate task list` tells."
            ) from None
        if response.is_error:
            raise ClientError(_message(response))
        document = _document(response)
        task_id = document.get("task_id")
        if not isinstance(task_id, str):
            raise ClientError(f"What answers at {self.url} is not vidgate.")
        return task_id, warnings_in(document)

    def poll(self, task_id: str) -> tuple[dict[str, Any], float]:
        """Read a task; return it and the seconds until it is worth asking again.

        Raises:
            ClientError: The gateway does not let us read it.
            TaskLostError: It has not answered for minutes.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            pause = _PAUSE_SECONDS
            try:
                response = self._http.get(f"{_PATH}/{task_id}")
            except httpx.HTTPError:
                pass
            else:
                pause = _pause(response)
                is_busy = response.status_code == httpx.codes.TOO_MANY_REQUESTS
                document = _document(response)
                if response.is_success and "status" in document:
                    return document, pause
                if response.is_client_error and not is_busy:
                    raise ClientError(_message(response))
            if time.monotonic() > deadline:
                raise TaskLostError("The gateway does not answer any more.")
            time.sleep(pause)


def warnings_in(task: Mapping[str, Any]) -> list[str]:
    """The sentences that warn of what is not done to the letter; an older gateway has none."""
    warnings = task.get("warnings")
    return [
        str(one["message"])
        for one in (warnings if isinstance(warnings, list) else ())
        if isinstance(one, dict) and "message" in one
    ]


def is_local(url: str) -> bool:
    """Whether a URL leads to this machine, where no proxy is wanted."""
    address = _address(url)
    return address is not None and address.is_loopback


def _written_out(url: str) -> str:
    """The URL of a gateway with its scheme and without the `/v1` of an SDK's base URL.

    A token crosses no public network in the clear where nobody asked for that.
    """
    if "://" not in url:
        address = _address(f"//{url}")
        url = f"{'http' if address is not None and address.is_private else 'https'}://{url}"
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def _address(url: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in a URL, `None` where it has a name."""
    try:
        host = urlsplit(url).hostname or ""
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _message(response: httpx.Response) -> str:
    message = _document(response).get("message")
    if isinstance(message, str) and message:
        return message
    return f"The gateway answered {response.status_code} {response.reason_phrase}."


def _pause(response: httpx.Response) -> float:
    pause = _PAUSE_SECONDS
    try:
        if "openai-poll-after-ms" in response.headers:
            pause = float(response.headers["openai-poll-after-ms"]) / 1000
        elif "retry-after" in response.headers:
            pause = float(response.headers["retry-after"])
    except ValueError:
        pass
    return min(max(pause, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
