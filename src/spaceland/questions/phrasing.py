"""From a fact to a question in one of four formats.

fill      the answer is typed in: a number, a box, a list of motions
select    one letter out of A to D, or A and B where only two objects are compared
judge     Yes or No
sentence  a full sentence

A task brings stems (the question proper), notes (what the numbers refer to) and sentences (worded answers) of its own.
The tails, which say what kind of reply is wanted, are the same for all tasks. Every wording is picked at random, and
the template id in each row says which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from spaceland.questions.facts import Fact
from spaceland.questions.language import capitalise

T = TypeVar("T")
FORMATS = ("fill", "select", "judge", "sentence")
LETTERS = "ABCD"

NUMBER_TAILS = (
    "Answer with one number.",
    "Give a single number and nothing else.",
    "Reply with just the number.",
    "One number is enough as an answer.",
    "Write only the number.",
    "State the value as a plain number.",
)
SELECT_TAILS = (
    "Answer with the letter of the right option.",
    "Choose one option and give its letter.",
    "Reply with A, B, C or D only.",
    "Which option is right? Give the letter.",
    "Pick the option that fits and answer with its letter.",
    "Give the letter of the one correct option.",
)
TWO_WAY_TAILS = (
    "Answer with the letter of the right option.",
    "Choose one of the two options and give its letter.",
    "Reply with A or B only.",
    "Which of the two is right? Give the letter.",
    "Pick A or B.",
    "Give the letter of the one correct option.",
)
JUDGE_TAILS = (
    "Answer Yes or No.",
    "Reply with Yes or No only.",
    "Is that so? Yes or No.",
    "Say Yes if it is true and No if it is not.",
    "Give your verdict as Yes or No.",
    "A plain Yes or No will do.",
)
SENTENCE_TAILS = (
    "Answer in a full sentence.",
    "Reply with one or two sentences.",
    "Put your answer into words.",
    "Write the answer as a sentence.",
    "Describe it in a sentence.",
    "Say it in your own words.",
)


@dataclass(frozen=True)
class Phrased:
    """Text of one row. `template` names the wordings that were picked."""

    question: str
    answer: str
    options: tuple[str, ...] | None
    template: str


@dataclass(frozen=True)
class Wording:
    """The texts of one task. Fields in braces are filled from `fields(fact)`.

    `stems` and `tails` may differ by format (the key), "*" stands for all others; `notes` may depend on the fact.
    `options(fact, place, rng)` returns the options of a select question with the right one at index `place`, or None
    when there are no good wrong ones; there are `num_options` of them, four or two. `places(fact)` says how likely
    each place is for somebody who has not looked; likelier ones are dealt first.
    `statement(fact, truth, rng)` returns extra fields for a judge question that is true or false.
    `of_fact(fact)` returns the wording in place of this one, where a task has facts of several kinds.
    """

    fields: Callable[[Fact], Mapping[str, str]]
    stems: Mapping[str, Sequence[str]]
    sentences: Sequence[str]
    notes: Sequence[str] | Callable[[Fact], Sequence[str]] = ("",)
    tails: Mapping[str, Sequence[str]] | None = None
    select_notes: Sequence[str] = ("",)
    options: Callable[[Fact, int, Random], list[str] | None] | None = None
    num_options: int = len(LETTERS)
    places: Callable[[Fact], Sequence[float]] | None = None
    statement: Callable[[Fact, bool, Random], Mapping[str, str]] | None = None
    of_fact: Callable[[Fact], Wording] | None = None


class Deck:
    """Deals numbers 0..n-1 in shuffled rounds: after every round each has come up equally often.

    Where the last card of a round cannot be used, the next round is opened early, and that card stays in play. It is
    opened no earlier, so that no number falls far behind.
    """

    def __init__(self, size: int, rng: Random) -> None:
        self._size, self._rng, self._cards = size, rng, list[int]()

    def deal(self) -> int:
        return self.deal_first(lambda card: card)  # type: ignore[return-value]

    def deal_first(self, use: Callable[[int], T | None], weights: Sequence[float] | None = None) -> T | None:
        """Try the cards left in this round until `use` makes something of one; only that card is gone.

        Args:
            use: What is made of a card; None when it is of no use.
            weights: By card; those of greater weight tend to be tried first.
        """
        tried: set[int] = set()
        for again in (False, True):
            if again and len(self._cards) != 1:
                break
            pile = self._new_round() + self._cards if again or not self._cards else self._cards
            for card in self._in_turn(pile, weights):
                if card in tried:
                    continue
                tried.add(card)
                made = use(card)
                if made is not None:
                    pile.remove(card)
                    self._cards = pile
                    return made
        return None

    def _new_round(self) -> list[int]:
        cards = list(range(self._size))
        self._rng.shuffle(cards)
        return cards

    def _in_turn(self, pile: Sequence[int], weights: Sequence[float] | None) -> list[int]:
        if weights is None:
            return list(reversed(pile))
        # A card comes first with a probability in proportion to its weight.
        keys = {card: self._rng.random() ** (1 / max(weights[card], 1e-6)) for card in sorted(set(pile))}
        return sorted(keys, key=keys.__getitem__, reverse=True)


def phrase(fact: Fact, format: str, wording: Wording, rng: Random, letters: Deck, verdicts: Deck) -> Phrased | None:
    """Word a fact in a format; None when a select question has no good wrong options."""
    wording = wording if wording.of_fact is None else wording.of_fact(fact)
    fields = dict(wording.fields(fact))
    options: list[str] | None = None
    answer = fact.answer.text
    if format == "select":
        assert wording.options is not None
        make = wording.options
        weights = None if wording.places is None else wording.places(fact)
        placed = letters.deal_first(lambda place: _placed(place, make(fact, place, rng)), weights)
        if placed is None:
            return None
        place, options = placed
        answer = LETTERS[place]
    elif format == "judge":
        assert wording.statement is not None
        truth = bool(verdicts.deal())
        fields.update(wording.statement(fact, truth, rng))
        answer = "Yes" if truth else "No"
    stems = wording.stems.get(format) or wording.stems["*"]
    usual = TWO_WAY_TAILS if format == "select" and wording.num_options == 2 else _TAILS[format]
    tails = (wording.tails or {}).get(format) or usual
    notes = wording.notes(fact) if callable(wording.notes) else wording.notes
    stem, note, tail = (rng.randrange(len(texts)) for texts in (stems, notes, tails))
    template = f"{format}-{stem}.{note}.{tail}"
    parts = [stems[stem].format(**fields), notes[note].format(**fields)]
    if format == "select":
        hint = rng.randrange(len(wording.select_notes))
        parts.append(wording.select_notes[hint].format(**fields))
        template += f".{hint}"
    parts.append(tails[tail])
    if format == "sentence":
        sentence = rng.randrange(len(wording.sentences))
        answer = capitalise(wording.sentences[sentence].format(**fields))
        template += f".{sentence}"
    question = " ".join(capitalise(part) for part in parts if part)
    if options is not None:
        letters_used = LETTERS[: wording.num_options]
        question += "".join(f"\n{letter}. {text}" for letter, text in zip(letters_used, options, strict=True))
    return Phrased(question, answer, tuple(options) if options is not None else None, template)


def _placed(place: int, options: list[str] | None) -> tuple[int, list[str]] | None:
    return None if options is None else (place, options)


_TAILS: Mapping[str, Sequence[str]] = {
    "fill": NUMBER_TAILS,
    "select": SELECT_TAILS,
    "judge": JUDGE_TAILS,
    "sentence": SENTENCE_TAILS,
}


def number_options(
    value: float,
    place: int,
    rng: Random,
    *,
    decimals: int = 1,
    low: float = 0.1,
    ratio: tuple[float, float] = (1.3, 1.7),
) -> list[str] | None:
    """Four numbers in ascending order with the right one at index `place`.

    Neighbours differ by a random ratio, so wrong numbers are of the same order as the right one, distinct once rounded,
    and the right one is the smallest, the largest or in between equally often. None when there is no room below.
    """
    step = 10.0**-decimals
    numbers = [value]
    for _ in range(place):
        smaller = min(numbers[0] / rng.uniform(*ratio), numbers[0] - 2 * step)
        numbers.insert(0, smaller)
    for _ in range(3 - place):
        numbers.append(max(numbers[-1] * rng.uniform(*ratio), numbers[-1] + 2 * step))
    if numbers[0] < low:
        return None
    texts = [f"{number:.{decimals}f}" for number in numbers]
    texts[place] = f"{value:.{decimals}f}"
    return texts if len(set(texts)) == 4 else None
