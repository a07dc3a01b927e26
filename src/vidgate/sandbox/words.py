"""Words in a prompt that decide what becomes of its job.

A word is written with a leading `#`, anywhere in the prompt; where a call has no prompt, as the
fragment of a URL in it (`https://cdn.example/a.mp4#late-error`), in the text that is to be spoken,
or in the name of an effect. Understood by every stand-in:

* `#audit`: the submit is refused by moderation; nothing is created.
* `#late-audit`: the job runs its time and then fails by moderation.
* `#late-error`: the job runs its time and then fails for another reason.
* `#no-url`: the job succeeds, but its result has no URL.
* `#never`: the job runs for ever.
* `#slow`: the job takes five times as long.
* `#unknown-state`: while the job runs its state is a word that nobody documents.
* `#cancelled-by-vendor`: the job ends as if somebody had cancelled it at the console.

Words that spoil the answer to the submit (see `vidgate.sandbox.faults`):

* `#500-created`, `#drop-created`, `#hang-created`: the job is created, the answer is lost.
* `#500-lost`, `#drop-lost`, `#html502`, `#429`, `#503`: nothing is created.
* `#truncated`, `#garbage`: the job is created, the answer cannot be read.

Words that spoil the callbacks of a job (see `vidgate.sandbox.faults`): `#callback-lost`,
`#callback-duplicate`, `#callback-reorder`, `#callback-bad-signature`, `#callback-unsigned`,
`#callback-stale-date`.

Besides, Kling takes `#1102` and every other code of its error table at submit; Jimeng takes
`#50411` and every other code of its table, at submit or at poll as the table says, and `#expired`;
Vidu takes `#reason-<Name>` at submit, `#err-<Name>` in the failed task, and `#code-string`.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "AUDIT",
    "LATE_AUDIT",
    "LATE_ERROR",
    "NEVER",
    "NO_URL",
    "SLOW",
    "UNKNOWN_STATE",
    "UNKNOWN_STATE_WORD",
    "VENDOR_CANCELLED",
    "WORD_FAULTS",
    "texts_of",
    "words_of",
]

AUDIT = "audit"
LATE_AUDIT = "late-audit"
LATE_ERROR = "late-error"
NEVER = "never"
NO_URL = "no-url"
SLOW = "slow"
UNKNOWN_STATE = "unknown-state"
VENDOR_CANCELLED = "cancelled-by-vendor"

UNKNOWN_STATE_WORD = "limbo"
"""A state that no vendor documents."""

WORD_FAULTS: Mapping[str, str] = {
    "500-created": "500_created",
    "drop-created": "refuse_after_create",
    "hang-created": "hang_created",
    "500-lost": "500",
    "drop-lost": "reset",
    "html502": "502_html",
    "429": "429",
    "503": "503",
    "truncated": "truncated_json",
    "garbage": "garbage",
}
"""The words that spoil the answer to a submit, and the fault each asks for."""

_WORD = re.compile(r"#([A-Za-z0-9_-]+)")


def words_of(prompt: object) -> frozenset[str]:
    """The magic words in a prompt, without their `#`."""
    if not isinstance(prompt, str) or "#" not in prompt:
        return frozenset()
    return frozenset(_WORD.findall(prompt))


def texts_of(fields: Mapping[str, Any], *names: str) -> str:
    """The texts of some fields in one; `a.b` is the field `b` of the objects in the list `a`.

    A list of texts counts as its texts. Texts without a `#` are left out.
    """
    found: list[Any] = []
    for name in names:
        outer, _, inner = name.partition(".")
        value = fields.get(outer)
        values = value if isinstance(value, list) else [value]
        found += [
            item.get(inner) if inner and isinstance(item, dict) else item
            for item in values
            if not inner or isinstance(item, dict)
        ]
    return " ".join(item for item in found if isinstance(item, str) and "#" in item)
