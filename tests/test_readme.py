"""The README and its translation say the same, with commands that exist."""

import re
import shlex
from pathlib import Path

import pytest

from vidgate.cli.app import COMMANDS, load_command

_ROOT = Path(__file__).parents[1]
_ENGLISH = (_ROOT / "README.md").read_text()
_CHINESE = (_ROOT / "README.zh-CN.md").read_text()
_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "part",
    [
        _BLOCK,
        re.compile(r"^#+ ", re.MULTILINE),
        re.compile(r"^\| --- .*$", re.MULTILINE),
        re.compile(r"^\*\*(?=.+[.。]\*\*)", re.MULTILINE),
        re.compile(r"VIDGATE_[A-Z_]+"),
        re.compile(r"X-Vidgate-\w+"),
        re.compile(r"https?://[\w.:/-]+"),
    ],
)
def test_both_have_the_same_of_what_is_not_translated(part: re.Pattern[str]) -> None:
    assert part.findall(_ENGLISH)
    assert sorted(part.findall(_CHINESE)) == sorted(part.findall(_ENGLISH))


def test_both_have_as_many_rows_and_points() -> None:
    for start in ("| ", "1. ", "10. "):
        counts = [
            sum(line.startswith(start) for line in text.splitlines())
            for text in (_ENGLISH, _CHINESE)
        ]
        assert counts[0] == counts[1] > 0


def test_each_leads_to_the_other() -> None:
    assert "(README.zh-CN.md)" in _ENGLISH
    assert "(README.md)" in _CHINESE


def test_every_command_in_it_exists_and_is_no_old_form() -> None:
    called = [
        shlex.split(line, comments=True)
        for block in _BLOCK.findall(_ENGLISH)
        for line in block.replace("\\\n", " ").splitlines()
        if re.match(r"(\.venv/bin/)?vidgate ", line)
    ]
    assert len(called) > 10
    for _, name, *rest in called:
        assert name in COMMANDS
        group = getattr(load_command(name), "commands", None)
        if group is not None:
            assert not group[rest[0]].hidden, rest[0]
