"""Results on their way into a file."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from vidgate.cli.client import ClientError, is_local
from vidgate.exceptions import ConfigurationError

__all__ = ["download", "draft_of", "require_free"]

_TIMEOUT = httpx.Timeout(60, connect=10)
_CHUNK_BYTES = 256 * 1024


def require_free(path: Path) -> None:
    """Refuse to overwrite a file.

    Raises:
        ConfigurationError: There is one, or no directory to put it in.
    """
    if path.exists():
        raise ConfigurationError(f"{path} exists already; choose another -o, or add --force.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"There is no directory {path.parent}.")


def download(url: str, path: Path, *, force: bool) -> Path:
    """Fetch a video into a file; see `draft_of`.

    Raises:
        ClientError: It could not be fetched; the message has the URL.
        ConfigurationError: The file exists meanwhile.
    """
    with draft_of(path, force=force) as write:
        _fetch(url, write)
    return path


@contextmanager
def draft_of(path: Path, *, force: bool) -> Iterator[Callable[[bytes], object]]:
    """Yield what writes a file that is there whole or, after an error, not at all.

    Raises:
        ConfigurationError: There is one already, now or at the end.
    """
    if not force:
        require_free(path)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file.write
        mask = os.umask(0)
        os.umask(mask)
        Path(draft).chmod(0o666 & ~mask)
        if not force:
            require_free(path)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _fetch(url: str, write: Callable[[bytes], object]) -> None:
    try:
        # With none of our headers: it leads to the provider, not to the gateway.
        with httpx.stream(
            "GET", url, follow_redirects=True, timeout=_TIMEOUT, trust_env=not is_local(url)
        ) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL):
        raise ClientError(f"The video could not be downloaded; it is at {url}") from None
