"""Egress proxies: the way from here to a provider, where it is not the direct one.

HTTP and HTTPS proxies are aiohttp's own business: `CONNECT` for an https URL, the whole URL in the
request line for an http one. SOCKS5 is aiohttp-socks'; host names are resolved by the proxy.
"""

import base64
import re
from typing import Any, Final

import aiohttp
from aiohttp_socks import ProxyConnector, ProxyType
from pydantic import SecretStr
from yarl import URL

from vidgate.exceptions import ConfigurationError

__all__ = ["check_proxy_url", "make_connector", "request_options"]

_SOCKS: Final = "socks5"
_URL: Final = re.compile(
    r"(?:https?|socks5)://(?:[^\s/?#@:]+(?::[^\s/?#@]*)?@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})/?"
)
_LARGEST_PORT: Final = 65535


def check_proxy_url(url: str) -> None:
    """Refuse what cannot be the URL of a proxy.

    Raises:
        ConfigurationError: It says what form is expected, never what was given.
    """
    match = _URL.fullmatch(url)
    if match is None or not 0 < int(match[1]) <= _LARGEST_PORT:
        raise ConfigurationError(
            "A proxy is written http://, https:// or socks5:// and [user:password@]host:port."
        )
    parsed = URL(url)
    user, password = parsed.user or "", parsed.password or ""
    if parsed.scheme == _SOCKS and not (user.isascii() and password.isascii()):
        raise ConfigurationError("The user and the password of a SOCKS5 proxy are ASCII.")
    if ":" in user:
        raise ConfigurationError("The user of a proxy has no colon in it.")


def make_connector(proxy: SecretStr | None, **options: Any) -> aiohttp.TCPConnector:
    """Make the connector that reaches a provider, directly or by a proxy.

    Args:
        proxy: The URL, `None` for none.
        **options: As `aiohttp.TCPConnector` takes them.
    """
    url = _url(proxy)
    if url is None or url.scheme != _SOCKS:
        return aiohttp.TCPConnector(**options)
    del options["resolver"]  # the proxy is the one that knows the names
    return ProxyConnector(
        host=url.host or "",
        port=url.port or 0,
        proxy_type=ProxyType.SOCKS5,
        username=url.user,
        password=url.password,
        rdns=True,
        **options,
    )


def request_options(proxy: SecretStr | None) -> dict[str, Any]:
    """What each request needs besides, to go by an HTTP proxy.

    Its `proxy_headers` are for the proxy: with `CONNECT` they go there only, and what is passed on
    as a whole URL must have them among its own headers.
    """
    url = _url(proxy)
    if url is None or url.scheme == _SOCKS:
        return {}
    headers = {}
    if url.user is not None:
        login = f"{url.user}:{url.password or ''}".encode()
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login).decode()}"
    return {"proxy": url.with_user(None), "proxy_headers": headers}


def _url(proxy: SecretStr | None) -> URL | None:
    return None if proxy is None else URL(proxy.get_secret_value())
