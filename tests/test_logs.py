import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from tests.support.api import KEY, build_settings
from typing_extensions import override

from vidgate import logs
from vidgate.config import LogFormat, LogLevel
from vidgate.logs import configure_logging, mask


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    configure_logging(build_settings())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"key {KEY}.", "key sk-***."),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer ***"),
        ("Token: vda_abcdefghijklmnop", "Token: ***"),
        ("TO\u212aEN abcdefghijklmnop", "TO\u212aEN ***"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln", "jwt ***"),
        ("jwt a-eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln", "jwt a-***"),
        ("key=AKLTabcdefgh|U0tabcdefgh==", "***|***"),
        ("GET /callbacks/kling/abc?x=1", "GET /callbacks/kling/***?x=1"),
        (f"GET /v1/content/{'a' * 32}", "GET /v1/content/***"),
        ("postgresql://user:hunter22@db/x", "postgresql://user:***@db/x"),
        ("nothing | to hide, token by token", "nothing | to hide, token by token"),
        ("/v1/video/generations/task_01m7wczamafj4sn87z101k97e6",) * 2,
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(
    st.lists(
        st.sampled_from(
            [
                *("sk-", "Bearer", "token", "to\u212aen", "eyJ", "|", "/callbacks/", "/content/"),
                *("://", "@", ":", " ", ".", "-", "/", "=", "***", '"', "\n", "a", "a1_" * 12),
            ]
        ),
        max_size=12,
    )
)
def test_masking_only_where_a_marker_stands_leaves_nothing_out(words: list[str]) -> None:
    text = masked = "".join(words)
    for _, pattern, replacement in logs._SECRETS:
        masked = pattern.sub(replacement, masked)

    assert mask(text) == masked


@pytest.mark.parametrize(
    "word",
    ["x", "eyJ-", "eyJ.", "token ", "token:  ", "sk-", "://a:", "/callbacks/", "/content/", "|"],
)
def test_masking_a_long_line_takes_no_longer_for_each_letter(word: str) -> None:
    # If it did, this would take hours.
    line = word * (4_000_000 // len(word))

    assert len(mask(line)) <= len(line)
    assert mask(f"{line} key {KEY}").endswith(" key sk-***")


def test_machines_get_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(build_settings(log_format=LogFormat.JSON))
    structlog.get_logger("vidgate.test").info("It happened", key=f'Bearer "{KEY}\\', answer=42)

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "It happened"
    assert line["level"] == "info"
    assert line["logger"] == "vidgate.test"
    assert line["answer"] == 42
    assert line["key"] == 'Bearer "sk-***\\'
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("log_format", LogFormat)
def test_a_traceback_is_masked_and_shows_no_locals(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    configure_logging(build_settings(log_format=log_format))
    hidden = "a-local-that-is-nobodys-business"
    try:
        int(KEY + hidden[:0])
    except ValueError:
        structlog.get_logger().exception("It failed")

    written = capsys.readouterr().err
    assert "ValueError: invalid literal for int() with base 10: 'sk-***'" in written
    assert KEY not in written
    assert hidden not in written


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"status": 200, "seconds": 0.001, "path": "/v1/videos", "method": "POST"},
        {"b": "two words", "a": "a=b", "c": "it's", "d": "", "e": None, "f": ["x", 1]},
        {"reason": "first\nsecond\tthird", "name": "\u7eb8\u8239"},
    ],
)
@pytest.mark.parametrize("event", ["Short", "A sentence that is longer than thirty letters"])
def test_people_get_what_the_console_of_structlog_writes(
    capsys: pytest.CaptureFixture[str], event: str, facts: dict[str, Any]
) -> None:
    configure_logging(build_settings())
    structlog.get_logger("vidgate.test").warning(event, **facts)

    line = capsys.readouterr().err
    told = facts | {"event": event, "level": "warning", "logger": "vidgate.test"}
    told["timestamp"] = line.split(" ")[0]
    console = structlog.dev.ConsoleRenderer(colors=False)
    assert line == f"{console(None, 'warning', told)}\n"


class _Unwritable:
    @override
    def __repr__(self) -> str:
        raise RuntimeError(KEY)


@pytest.mark.parametrize("log_format", LogFormat)
def test_what_cannot_be_written_breaks_nothing_and_is_told(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    configure_logging(build_settings(log_format=log_format))
    structlog.get_logger("vidgate.test").info("It happened", what=_Unwritable())

    written = capsys.readouterr().err
    assert "A line could not be logged" in written
    assert "RuntimeError" in written
    assert KEY not in written


def test_libraries_log_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(build_settings())
    structlog.contextvars.bind_contextvars(request_id="r-1")
    logging.getLogger("uvicorn.error").info("Started with %s", KEY)
    logging.getLogger("uvicorn.access").info("GET /")
    logging.getLogger("alembic").info("Running")
    structlog.contextvars.clear_contextvars()

    written = capsys.readouterr().err
    assert "Started with sk-***" in written
    assert "request_id=r-1" in written
    assert "GET /" not in written
    assert "Running" in written


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(build_settings(log_level=LogLevel.WARNING))
    structlog.get_logger().info("quiet")
    logging.getLogger("uvicorn").info("quiet")
    structlog.get_logger().warning("loud")

    written = capsys.readouterr().err
    assert "quiet" not in written
    assert "loud" in written


def test_it_can_be_done_again_and_leaves_others_handlers_alone() -> None:
    other = logging.NullHandler()
    root = logging.getLogger()
    root.addHandler(other)
    try:
        configure_logging(build_settings())
        configure_logging(build_settings())

        assert other in root.handlers
        assert [handler.get_name() for handler in root.handlers].count("vidgate") == 1
    finally:
        root.removeHandler(other)


def test_what_a_client_writes_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(build_settings())
    structlog.get_logger("vidgate.test").info("Asked", path="/a\x1b[2J\x00\x9b\x07b")

    line = capsys.readouterr().err
    assert "\\x1b[2J" in line
    assert line.removesuffix("\n").isprintable()
