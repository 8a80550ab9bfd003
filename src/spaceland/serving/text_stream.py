"""Tokens as they come, text as it may be shown: whole characters only, and nothing that may be part of a stop string.

Bytes of one character can be several tokens, and some tokenizers write a word otherwise at the beginning of a text.
So a short window of tokens is decoded with the one before it, and only what was added counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


class TextStream:
    """The text of one answer. Joined, the pieces are the text of all tokens up to the first stop string."""

    def __init__(self, decode: Callable[[list[int]], str], stops: Sequence[str] = ()) -> None:
        """Begin.

        Args:
            decode: Text of tokens, without the special ones.
            stops: The text ends before the first of these; none may be empty.
        """
        self._decode, self._stops = decode, tuple(stops)
        self._tokens: list[int] = []
        self._before = self._shown = 0
        self._known = self._held = ""
        self.stopped = False
        """Whether a stop string was met; nothing follows then."""

    def push(self, token: int) -> str:
        """Take a token; give the text that is certain now."""
        if self.stopped:
            return ""
        self._tokens.append(token)
        text = self._decode(self._tokens[self._before :])
        # A character that is not complete yet is decoded as U+FFFD.
        if text.endswith("\ufffd"):
            return ""
        added = text[len(self._known) :]
        self._before, self._shown = self._shown, len(self._tokens)
        self._known = self._decode(self._tokens[self._before :])
        return self._release(added)

    def finish(self) -> str:
        """What was held back, when no token follows."""
        if self.stopped:
            return ""
        text = self._release(self._decode(self._tokens[self._before :])[len(self._known) :])
        held, self._held, self._known, self._before = self._held, "", "", len(self._tokens)
        return text if self.stopped else text + held

    def _release(self, added: str) -> str:
        text = self._held + added
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.stopped, self._held = True, ""
            return text[: min(places)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` with which `stop` begins.

    >>> _overlap("a \\n\\nUs", "\\n\\nUser:"), _overlap("abc", "x")
    (4, 0)
    """
    return next((k for k in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:k])), 0)
