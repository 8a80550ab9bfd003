"""EmbSpatial-Bench: above, under, left, right, close and far in rooms, seen by whoever stands in them."""

from __future__ import annotations

from spaceland.benchmarks.cards import Card, GroupedMeans, bare_letter, check_protocol
from spaceland.benchmarks.choices import FIRST_LETTER, first_letter
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.types import Row
from spaceland.benchmarks.vlmevalkit import option_letter

FRAMES: dict[str, FramePolicy] = {"official": FramePolicy(rule="all", published="rule the picture of the row")}
PROMPTS = {
    "official": (
        "Note: You only need to respond with A, B, C, D without providing any additional information.\n"
        "{question}\n{options}"
    ),
}


def prompt(row: Row, protocol: str = "official") -> str:
    """Question and options ("A) text") as lmms-eval words them.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    options = "\n".join(f"{letter}) {text}" for letter, text in zip("ABCDEF", row["answer_options"], strict=False))
    return PROMPTS["official"].format(question=row["question"], options=options)


_CARD = Card(
    name="embspatial",
    title="EmbSpatial-Bench",
    fields=("question", "answer_options", "answer", "relation"),
    identity=("question_id",),
    letter_of=lambda row: bare_letter(row["answer"]),
    options_of=lambda row: [str(option) for option in row["answer_options"]],
    task_of=lambda row: str(row["relation"]),
    expected_rows={"test (by cards of others)": 3640},
)
_MEANS = GroupedMeans(_CARD.task_of, overall="rows", by=lambda row: row.get("data_source"))
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official", "lmms-eval 0.7, since no scorer of the authors is known to us",
        lambda reply, row: first_letter(reply), _MEANS,
        {
            "no-released-scorer": "the rule and the prompt are lmms-eval's",
            **FIRST_LETTER,
        },
    ),
    _CARD.protocol(
        "vlmevalkit", "VLMEvalKit by rules without a judge", lambda reply, row: option_letter(reply), _MEANS
    ),
    _CARD.strict(_MEANS),
)  # fmt: skip
