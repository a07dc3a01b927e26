"""What clients call alike everywhere, before a server that is nobody in particular.

Every word goes on as it came, for whoever is behind the server; that its format does not have it is
told. Source: OpenAI's SDK for Python, 2.x, and new-api's documentation, read 2026-11-20.
"""

from vidgate.providers.words import Meaning, Vocabulary

__all__ = ["VOCABULARY"]

VOCABULARY = Vocabulary(
    # A size that is a tier has no other field; a shape has the name that all vendors use.
    fields={Meaning.TIER: "resolution", Meaning.RATIO: "aspect_ratio"},
    passes=True,
    documented=frozenset(
        {
            *("prompt", "seconds", "size", "input_reference", "video"),
            *("duration", "fps", "height", "width", "image", "images", "metadata"),
            *("n", "response_format", "seed", "user"),
        }
    ),
)
