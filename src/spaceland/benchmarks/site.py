"""SITE: spatial intelligence on pictures and videos, questions of many data sets with two and more options.

The figure is chance-adjusted accuracy, CAA = sum(x - 1/n) / sum(1 - 1/n): 0 is guessing, 100 all right, and less than
guessing is negative. The released scorer guesses where it finds no letter, without a seed; here the guess hangs on the
row's id alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from spaceland.benchmarks.cards import Card, bare_letter, check_protocol
from spaceland.benchmarks.choices import site_letter
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.replies import LETTERS
from spaceland.benchmarks.types import Row, RowScore, Summary

FRAMES: dict[str, FramePolicy] = {"official": FramePolicy(published="num 32, rule 32 frames (EASI)")}
PROMPTS = {
    "video": (
        "Select the best answer to the following multiple-choice question based on the video. Respond with only the "
        "letter of the correct option.\n"
    ),
    "post": "Give me the answer letter directly. The best answer is:",
}
SEED = 0


def prompt(row: Row, protocol: str = "official-no-judge") -> str:
    """Question and options ("A: text"); picture places go before where the text holds none.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    options = "\n".join(f"{letter}: {text}" for letter, text in zip(LETTERS, row["options"], strict=False))
    text = f"Question: {str(row['question']).strip()}\nOptions:\n{options}\n{PROMPTS['post']}"
    if is_video(row):
        return PROMPTS["video"] + text
    visual = row.get("visual") or ()
    return text if "<image>" in text or not visual else "<image>" * len(visual) + "\n" + text


def is_video(row: Row) -> bool:
    """By the file name of the first visual."""
    visual = row.get("visual") or ()
    return bool(visual) and str(visual[0]).lower().endswith((".mp4", ".avi", ".mov", ".mkv", ".webm"))


def chance_adjusted(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    """CAA overall, by category (tasks) and by data set (groups), and plain accuracy as a group."""

    def adjusted(keep: Callable[[Row], bool]) -> float | None:
        kept = [(score.score, 1 / _CARD.num_options(row)) for row, score in zip(rows, scores, strict=True) if keep(row)]
        room = sum(1 - chance for _, chance in kept)
        return 100 * sum(score - chance for score, chance in kept) / room if room else None

    tasks = sorted({_CARD.task_of(row) for row in rows})
    sets = sorted({str(row["dataset"]) for row in rows if row.get("dataset")})
    accuracy = {"plain accuracy": 100 * sum(score.score for score in scores) / len(scores)} if scores else {}
    return Summary(
        adjusted(lambda row: True),
        {task: adjusted(lambda row, task=task: _CARD.task_of(row) == task) for task in tasks},
        {name: adjusted(lambda row, name=name: str(row.get("dataset")) == name) for name in sets} | accuracy,
    )


def _official(reply: str, row: Row) -> str:
    letters = LETTERS[: len(row["options"])]
    return site_letter(reply, letters) or Random(f"{SEED}:{_CARD.row_id(row)}").choice(letters)


_CARD = Card(
    name="site",
    title="SITE",
    fields=("question", "options", "answer", "category"),
    identity=("dataset", "question", "options", "visual"),
    letter_of=lambda row: bare_letter(row["answer"]),
    options_of=lambda row: [str(option) for option in row["options"]],
    task_of=lambda row: str(row["category"]),
    expected_rows={"image and video (from memory)": 8068},
)
_LAST = "of several letters the last one between blanks counts, else the first option: '(B) or (A)' names A"
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official-no-judge", "the scorer of SITE (36295bb), whose guesses are seeded by the row's id",
        _official, chance_adjusted,
        {
            "random-guess": f"a reply without a letter, even an empty one, is a guess, here by seed {SEED} and row id",
            "last-of-several": _LAST,
            "chance-adjusted": "figures are CAA, not accuracy: guessing gives 0, worse than guessing is negative",
            "answer-index": "the released scorer compares letters; an answer given as a number is read as its letter",
        },
    ),
    _CARD.protocol(
        "no-guess", "the same, where a reply without a letter is wrong",
        lambda reply, row: site_letter(reply, LETTERS[: len(row["options"])]), chance_adjusted,
        {"last-of-several": _LAST},
    ),
    _CARD.strict(chance_adjusted),
)  # fmt: skip
