"""A key that cannot be shown by accident.

The text of a `Secret` is in no repr, no str, no dataclass dump, no pickle, and `hide` removes it from texts that come
from elsewhere, such as a server that quotes the request in its error.
"""

from __future__ import annotations

import os
from typing import NoReturn

from spaceland.errors import ChatError


class Secret:
    """Holds a text; only `reveal` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the header that needs it."""
        return self._text

    def hide(self, text: str) -> str:
        """`text` with every occurrence of the secret, whole or as most of it, replaced by "***"."""
        for part in (self._text, self._text[:-4], self._text[4:]):
            if len(part) >= 4:
                text = text.replace(part, "***")
        return text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


def key_from_environment(variable: str) -> Secret | None:
    """The key in an environment variable; None when it is unset or empty, as for servers without keys.

    Raises:
        ChatError: it holds characters that cannot stand in a header (the key itself is not shown).
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    if not all("!" <= c <= "~" for c in text):
        raise ChatError(
            f"the environment variable {variable} holds spaces, line breaks or other characters that no key has; "
            "set it to the key alone"
        )
    return Secret(text)
