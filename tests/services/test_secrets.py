"""Keys: made once, derived by purpose, rotated while processes run."""

import base64
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.engine import KEYS, SECRET_KEY, open_engine
from tests.support.upstreams import MODELS, Upstream

from vidgate.exceptions import ConfigurationError
from vidgate.models.tasks import TaskStatus
from vidgate.services.secrets import (
    SEALED_BY,
    Purpose,
    SecretBox,
    add_secret_key,
    hash_key,
    new_token_key,
    read_secret_keys,
)


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def box(*keys: str) -> SecretBox:
    return SecretBox(lambda: read_secret_keys(",".join(keys), None))


def test_a_token_key_is_random_and_long_enough() -> None:
    keys = {new_token_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(one.startswith("sk-") and len(one) == 46 for one in keys)
    assert len({hash_key(one) for one in keys}) == 100


def test_the_prefix_of_a_token_is_no_part_of_it() -> None:
    assert hash_key("sk-abc") == hash_key("abc")
    assert len(hash_key("abc")) == 32


@pytest.mark.parametrize("text", ["", "word", "p|w", "§ 🚤", "x" * 10_000])
@pytest.mark.parametrize("purpose", Purpose)
def test_what_is_encrypted_can_be_decrypted(purpose: Purpose, text: str) -> None:
    one = box(key())

    secret = one.encrypt(purpose, text)

    assert one.decrypt(purpose, secret) == text
    assert not text or text.encode() not in secret
    assert one.encrypt(purpose, text) != secret


def test_a_secret_of_one_purpose_is_none_of_another() -> None:
    one = box(key())
    secret = one.encrypt(Purpose.CREDENTIAL, "word")

    for purpose in set(Purpose) - {Purpose.CREDENTIAL}:
        with pytest.raises(ConfigurationError):
            one.decrypt(purpose, secret)


def test_what_one_key_signed_every_holder_of_it_verifies() -> None:
    old, new = key(), key()
    signature = box(old).sign(Purpose.CALLBACK, "word")

    assert len(signature) == 32
    for size in (32, 16):
        assert box(new, old).verify(Purpose.CALLBACK, "word", signature[:size])
        assert not box(new).verify(Purpose.CALLBACK, "word", signature[:size])
    assert box(new, old).sign(Purpose.CALLBACK, "word") != signature


def test_a_signature_is_of_one_purpose_and_text_and_not_too_short() -> None:
    one = box(key())
    signature = one.sign(Purpose.CALLBACK, "word")

    assert not one.verify(Purpose.CALLBACK, "words", signature)
    assert not one.verify(Purpose.WEBHOOK, "word", signature)
    for wrong in (b"", signature[:15], bytes(32), signature + b"x", signature[1:]):
        assert not one.verify(Purpose.CALLBACK, "word", wrong)


def test_a_signature_under_a_key_that_came_meanwhile_is_verified() -> None:
    old, new = key(), key()
    keys = [old]
    running = SecretBox(lambda: read_secret_keys(",".join(keys), None))
    signature = box(new).sign(Purpose.CALLBACK, "word")

    keys.insert(0, new)

    assert running.verify(Purpose.CALLBACK, "word", signature)


def test_the_newest_key_encrypts_and_every_one_decrypts() -> None:
    old, new = key(), key()
    secret = box(old).encrypt(Purpose.CREDENTIAL, "word")
    both = box(new, old)

    rotated = both.rotate(Purpose.CREDENTIAL, secret)

    assert both.decrypt(Purpose.CREDENTIAL, secret) == "word"
    assert box(new).decrypt(Purpose.CREDENTIAL, rotated) == "word"
    with pytest.raises(ConfigurationError):
        box(old).decrypt(Purpose.CREDENTIAL, rotated)


def test_a_wrong_key_and_a_broken_secret_are_said_without_either() -> None:
    secret = box(key()).encrypt(Purpose.CREDENTIAL, "word")

    for broken in (secret, secret[:-1], b"", b"\xff" * 90):
        with pytest.raises(ConfigurationError, match="VIDGATE_SECRET_KEY") as caught:
            box(key()).decrypt(Purpose.CREDENTIAL, broken)
        assert "word" not in str(caught.value)


def test_keys_that_were_rotated_meanwhile_are_read_again() -> None:
    old, new = key(), key()
    keys = [old]
    running = SecretBox(lambda: read_secret_keys(",".join(keys), None))
    secret = box(new).encrypt(Purpose.CREDENTIAL, "word")

    keys.insert(0, new)

    assert running.decrypt(Purpose.CREDENTIAL, secret) == "word"
    assert running.fingerprints == box(new, old).fingerprints


KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    "setting",
    ["", ",", " , ", "short", "not base64!", base64.b64encode(b"x" * 31).decode(), f"{KEY},x"],
)
def test_a_bad_secret_key_is_the_operators_to_change(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand -base64 32"):
        SecretBox(lambda: read_secret_keys(setting, None))


@pytest.mark.parametrize("setting", ["{0}", " {0} ", "{0},{1}", "{1} , {0},", "{2}"])
def test_keys_may_be_written_in_several_ways(setting: str) -> None:
    urlsafe = base64.urlsafe_b64encode(b"\xfb\xff" * 20).decode()

    keys = read_secret_keys(setting.format(key(), key(), urlsafe), None)

    assert all(len(one) >= 32 for one in keys)


def test_an_outside_database_needs_a_key_of_its_operators() -> None:
    with pytest.raises(ConfigurationError, match="required"):
        read_secret_keys(None, None)


def test_many_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    directory = tmp_path / "data"

    with ThreadPoolExecutor(max_workers=16) as threads:
        found = list(threads.map(lambda _: read_secret_keys(None, directory), range(64)))

    assert len(set(found)) == 1
    assert [path.name for path in directory.iterdir()] == ["secret-key"]
    assert (directory / "secret-key").stat().st_mode & 0o777 == 0o600


def test_an_empty_secret_file_is_the_operators_to_mend(tmp_path: Path) -> None:
    (tmp_path / "secret-key").touch()

    with pytest.raises(ConfigurationError):
        SecretBox(lambda: read_secret_keys(None, tmp_path))


def test_an_added_key_goes_in_front(tmp_path: Path) -> None:
    [old] = read_secret_keys(None, tmp_path)

    add_secret_key(tmp_path)

    keys = read_secret_keys(None, tmp_path)
    assert len(keys) == 2
    assert keys[1] == old
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


async def test_a_rotation_leaves_running_jobs_alone(database_url: str) -> None:
    new = key()
    async with open_engine(database_url) as engine:
        await engine.channel("kling")
        Upstream(engine.router, "kling")
        created = await engine.create(MODELS["kling"])
        both = box(new, SECRET_KEY)
        rewritten = await engine.operator.channels.rewrite_secrets(
            lambda table, secret: both.rotate(SEALED_BY[table], secret),
            fingerprint=both.fingerprints[0],
        )
        assert rewritten == 1
        [channel] = await engine.operator.channels.every()
        stored = await engine.operator.channels.credential(channel.credential_id)
        assert stored is not None
        assert box(new).decrypt(Purpose.CREDENTIAL, stored[1]) == KEYS["kling"]
        fake = Upstream(engine.router, "kling")
        fake.on_poll = ["succeeded"]
        engine.router.calls.reset()
        await engine.tick(minutes=1)

        assert (await engine.task(created)).status is TaskStatus.SUCCEEDED
    with pytest.raises(ConfigurationError, match="not the one"):
        async with open_engine(database_url):
            pass
