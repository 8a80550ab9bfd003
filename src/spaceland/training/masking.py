"""Which tokens are learnt: those of the assistant's answers and the token that ends each, and nothing else.

How a template begins and ends an answer is not looked up by model but found out: a chat of one question and one answer
is written with and without the prompt that asks for an answer. In ChatML (Qwen and InternVL)

    <|im_start|> user \\n a <|im_end|> \\n <|im_start|> assistant \\n b <|im_end|> \\n
                                          ----- opening -----      ^ ---ending
                                                                   learnt: b <|im_end|>

Both marks are tokens that no text can hold: samples whose texts contain them are refused, so nobody's text can pass
for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from spaceland.chat.types import Message
from spaceland.errors import TrainingError

IGNORED = -100
"""Label of a token that is not learnt."""


@dataclass(frozen=True)
class AnswerMarks:
    """Tokens that open an answer, the token that ends it, and the words of both that no text may hold."""

    opening: tuple[int, ...]
    ending: int
    words: tuple[str, ...]

    @classmethod
    def of(
        cls, tokenizer: Any, render: Callable[[Sequence[Message]], str], prompt: Callable[[Sequence[Message]], str]
    ) -> AnswerMarks:
        """Find out the marks of a chat template.

        Args:
            tokenizer: Of the model.
            render: Writes a chat.
            prompt: Writes a chat and begins an answer.

        Raises:
            TrainingError: the template does not mark answers with tokens of their own.
        """
        question, answer = Message("user", ("a",)), Message("assistant", ("b",))
        before, asked, full = render([question]), prompt([question]), render([question, answer])
        opening = _shared_beginning(asked.removeprefix(before), full.removeprefix(before))
        rest = full.removeprefix(before).removeprefix(opening)
        special = set(tokenizer.all_special_ids) | {k for k, t in tokenizer.added_tokens_decoder.items() if t.special}
        open_ids = tokenizer(opening, add_special_tokens=False)["input_ids"]
        end_ids = tokenizer(rest[1:], add_special_tokens=False)["input_ids"]
        if not (
            asked.startswith(before)
            and rest.startswith("b")
            and len(open_ids) > 1
            and open_ids[0] in special
            and end_ids[:1]
            and end_ids[0] in special
        ):
            raise TrainingError(
                f"this chat template does not mark answers with tokens of their own: it writes {full[-80:]!r}; use an "
                "instruct model with a template such as ChatML"
            )
        words = tuple(str(tokenizer.convert_ids_to_tokens(k)) for k in (open_ids[0], end_ids[0]))
        return cls(tuple(open_ids), end_ids[0], words)

    def forbidden(self, text: str) -> bool:
        """Whether a text holds a mark."""
        return any(word in text for word in self.words)

    def labels(self, input_ids: Int[Tensor, "b n"], num_answers: Sequence[int]) -> Int[Tensor, "b n"]:
        """Labels of a batch: the token itself where it is learnt, else -100.

        Args:
            input_ids: Padded chats.
            num_answers: How many answers each has; 0 learns nothing of it.

        Raises:
            TrainingError: another number of answers is found, or one has no end.
        """
        labels = torch.full_like(input_ids, IGNORED)
        for row, (ids, expected) in enumerate(zip(input_ids.tolist(), num_answers, strict=True)):
            if expected == 0:
                continue
            spans = self._spans(ids)
            if len(spans) != expected:
                raise TrainingError(f"a chat with {expected} answers shows {len(spans)} in its tokens")
            for start, end in spans:
                labels[row, start:end] = input_ids[row, start:end]
        return labels

    def _spans(self, ids: list[int]) -> list[tuple[int, int]]:
        spans, at, width = [], 0, len(self.opening)
        while at <= len(ids) - width:
            if tuple(ids[at : at + width]) != self.opening:
                at += 1
                continue
            start = at + width
            if self.ending not in ids[start:]:
                raise TrainingError("an answer has no end; the chat was cut off")
            at = ids.index(self.ending, start) + 1
            spans.append((start, at))
        return spans


def _shared_beginning(a: str, b: str) -> str:
    length = next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[:length]
