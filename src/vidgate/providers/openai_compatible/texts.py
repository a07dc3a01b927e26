"""What sentences say of refusals that have no word of a machine.

Only short turns are understood that servers use for nothing else; what a request said itself and
an error repeats in quotes is not read.
"""

import re
from collections.abc import Mapping

from vidgate.models.outcomes import FaultKind

__all__ = ["kind_by_text"]

_TURNS: Mapping[FaultKind, tuple[str, ...]] = {
    FaultKind.CONTENT_POLICY: (
        r"content[ _-]?(?:policy|filter|violation|moderation)",
        r"\bmoderation\b",
        r"safety (?:system|policy|violation|filter)",
        r"sensitive (?:word|content)",
        r"prohibited content",
        *("敏感", "违规", "审核"),
    ),
    FaultKind.BALANCE: (
        r"(?:insufficient|not enough) (?:\w+ )?(?:balance|quota|credits?|funds)",
        r"(?:balance|quota|credits?) (?:is |are )?(?:not enough|insufficient)",
        r"(?:balance|quota|credits?) (?:is |are )?(?:exceeded|exhausted)",
        *("余额不足", "额度不足", "欠费"),
    ),
    FaultKind.CONCURRENCY: (
        r"concurren\w+ (?:limit|exceeded)",
        r"too many (?:concurrent|running|parallel)",
        "并发",
    ),
    FaultKind.RATE: (r"rate[ _-]?limit", r"too many requests", r"throttl", "频繁"),
    FaultKind.CREDENTIAL: (
        r"(?:invalid|incorrect|wrong|expired|missing) (?:api[ _-]?key|access token|credential)",
        r"(?:api[ _-]?key|access token|credentials?) (?:is |are )?(?:invalid|incorrect|wrong)",
        r"(?:api[ _-]?key|access token|credentials?) (?:is |are )?(?:expired|not valid|missing)",
        r"\bunauthorized\b",
        "令牌",
    ),
}
_PATTERNS = {kind: re.compile("|".join(turns), re.IGNORECASE) for kind, turns in _TURNS.items()}

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|“[^”]*”")


def kind_by_text(message: str) -> FaultKind | None:
    """Tell what a server's sentence means; `None` where nobody can tell."""
    text = _QUOTED.sub("", message)
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.search(text)), None)
