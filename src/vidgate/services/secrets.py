"""Secrets: keys that are made, hashed and encrypted."""

import base64
import binascii
import hashlib
import hmac
import secrets
import string
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vidgate.exceptions import ConfigurationError

__all__ = [
    "SEALED_BY",
    "Purpose",
    "SecretBox",
    "add_secret_key",
    "hash_key",
    "new_access_key",
    "new_token_key",
    "read_secret_keys",
]

_KEY_BYTES = 32
_LEAST_SIGNATURE_BYTES = 16
_TOKEN_PREFIX = "sk-"  # noqa: S105 - not a secret
_RELOAD_SECONDS = 1.0
"""Between two readings of the keys that signatures and ciphertexts of strangers bring about."""

_ACCESS_KEY_PREFIX = "VG"
_ACCESS_KEY_CHARACTERS = 30
"""Letters and digits alone, since vendors' SDKs put it between slashes and bars."""

_SECRET_FILE = "secret-key"  # noqa: S105 - the name of a file


class Purpose(StrEnum):
    """What a derived key is for: a secret of one purpose cannot be read with another's key."""

    CREDENTIAL = "credential"
    WEBHOOK = "webhook"
    ACCESS_KEY = "access_key"
    CONTENT_URL = "content_url"
    CALLBACK = "callback"
    SESSION = "session"


SEALED_BY: Final[Mapping[str, Purpose]] = MappingProxyType(
    {
        "credentials": Purpose.CREDENTIAL,
        "channels": Purpose.CREDENTIAL,
        "access_keys": Purpose.ACCESS_KEY,
        "webhook_secrets": Purpose.WEBHOOK,
    }
)
"""By which key the secrets of each table are encrypted."""


def new_token_key() -> str:
    """Make a token's key: `sk-` and 43 characters that hold 256 random bits."""
    return _TOKEN_PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def new_access_key() -> tuple[str, str]:
    """Make a pair to sign with: an access key, which is no secret, and 256 random bits."""
    letters = string.ascii_uppercase + string.digits
    name = "".join(secrets.choice(letters) for _ in range(_ACCESS_KEY_CHARACTERS))
    return _ACCESS_KEY_PREFIX + name, secrets.token_urlsafe(_KEY_BYTES)


def hash_key(key: str) -> bytes:
    """The SHA-256 under which a token's key is stored; `sk-` may be left out of the key."""
    return hashlib.sha256(key.removeprefix(_TOKEN_PREFIX).encode()).digest()


def read_secret_keys(setting: str | None, data_dir: Path | None) -> tuple[bytes, ...]:
    """Read the deployment's secret keys, newest first.

    Args:
        setting: Keys in base64 with commas between, `None` when there are none.
        data_dir: Where a key is kept, and made at the first start; `None` with an outside database.

    Raises:
        ConfigurationError: No key is given and none may be made, or one is too short.
    """
    if setting is not None:
        return _decode_all([part.strip() for part in setting.split(",") if part.strip()])
    if data_dir is None:
        raise ConfigurationError(
            "VIDGATE_SECRET_KEY is required with a database of your own; make one with "
            "`openssl rand -base64 32` and keep it."
        )
    path = data_dir / _SECRET_FILE
    try:
        text = path.read_text()
    except FileNotFoundError:
        text = _make_secret_file(path)
    return _decode_all(text.split())


def add_secret_key(data_dir: Path) -> None:
    """Put a new key in front of those that a data directory keeps; the old ones still decrypt."""
    path = data_dir / _SECRET_FILE
    draft = _draft(path, _new_key() + path.read_text())
    draft.replace(path)


def _make_secret_file(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path, _new_key())
    try:
        # Linked into place whole, so that a second process never reads half a key.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode() + "\n"


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    return draft


def _decode_all(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(_decode(text) for text in texts or [""])  # none at all is one that is too short


def _decode(text: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < _KEY_BYTES:
        raise ConfigurationError(
            "VIDGATE_SECRET_KEY must hold keys of at least 32 random bytes in base64; make one "
            "with `openssl rand -base64 32`."
        )
    return key


class SecretBox:
    """Encrypts what must be computed with later, under keys derived from the secret keys.

    Args:
        read_keys: Gives the deployment's secret keys, newest first; the newest encrypts, every one
            decrypts. It is asked again when a secret cannot be decrypted: they may have been
            rotated while this process runs.
    """

    def __init__(self, read_keys: Callable[[], Sequence[bytes]]) -> None:
        self._read_keys = read_keys
        self._reloaded = float("-inf")
        self._load()

    def _load(self) -> None:
        keys = self._read_keys()
        self._boxes = {
            purpose: MultiFernet([_fernet(key, purpose.value) for key in keys])
            for purpose in Purpose
        }
        self._signing_keys = {
            purpose: tuple(_derive(key, f"{purpose.value} signature") for key in keys)
            for purpose in Purpose
        }
        self.fingerprints = tuple(_derive(key, "fingerprint").hex()[:32] for key in keys)
        """By which a database knows the keys it was written with, newest first."""

    def encrypt(self, purpose: Purpose, text: str) -> bytes:
        """Encrypt under the newest key."""
        return self._boxes[purpose].encrypt(text.encode())

    def decrypt(self, purpose: Purpose, secret: bytes) -> str:
        """Decrypt under whichever key fits.

        Raises:
            ConfigurationError: None does.
        """
        text = self._decrypted(purpose, secret)
        if text is None:
            self._load()
            text = self._decrypted(purpose, secret)
        if text is None:
            raise ConfigurationError(
                "A stored secret cannot be decrypted: VIDGATE_SECRET_KEY lacks the key it was "
                "written with."
            )
        return text

    def decrypt_given(self, purpose: Purpose, text: bytes) -> str | None:
        """Decrypt what a client gave back; `None` where it is nothing that we encrypted."""
        found = self._decrypted(purpose, text)
        if found is None and self._reload_for_strangers():
            found = self._decrypted(purpose, text)
        return found

    def _decrypted(self, purpose: Purpose, secret: bytes) -> str | None:
        try:
            return self._boxes[purpose].decrypt(secret).decode()
        except InvalidToken:
            return None

    def sign(self, purpose: Purpose, text: str) -> bytes:
        """Sign under the newest key, with a key of its own for each purpose; 32 bytes."""
        return _signature(self._signing_keys[purpose][0], text)

    def verify(self, purpose: Purpose, text: str, signature: bytes) -> bool:
        """Whether one of the keys signed this text; the signature may be cut to 16 bytes or more.

        As with `decrypt`, the keys are read again if none of those at hand fits.
        """
        if self._is_signed(purpose, text, signature):
            return True
        return self._reload_for_strangers() and self._is_signed(purpose, text, signature)

    def _reload_for_strangers(self) -> bool:
        """Read the keys again, if that was not done just now.

        Whoever makes things up must not have us derive keys for each of them.
        """
        now = time.monotonic()
        if now - self._reloaded < _RELOAD_SECONDS:
            return False
        self._reloaded = now
        self._load()
        return True

    def _is_signed(self, purpose: Purpose, text: str, signature: bytes) -> bool:
        size_bytes = max(len(signature), _LEAST_SIGNATURE_BYTES)
        return any(
            hmac.compare_digest(_signature(key, text)[:size_bytes], signature)
            for key in self._signing_keys[purpose]
        )

    def rotate(self, purpose: Purpose, secret: bytes) -> bytes:
        """Encrypt a secret anew under the newest key.

        Raises:
            ConfigurationError: It cannot be decrypted.
        """
        return self.encrypt(purpose, self.decrypt(purpose, secret))


def _signature(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"vidgate {purpose}".encode()).derive(key)


def _fernet(key: bytes, purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derive(key, purpose)))
