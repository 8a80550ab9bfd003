"""ViewSpatial-Bench: directions and orientations seen by the camera or by a person in the picture, five types.

Released rows have no id: a field `id` is used where there is one, else a hash of pictures, question and choices.
"""

from __future__ import annotations

from spaceland.benchmarks.cards import Card, bare_letter, check_protocol
from spaceland.benchmarks.choices import last_line_letter, options_in_text
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.types import Row
from spaceland.benchmarks.vlmevalkit import option_letter

FRAMES: dict[str, FramePolicy] = {"official": FramePolicy(rule="all", published="rule all pictures of the row")}
PROMPTS = {
    "official": "{question}{choices}\nReply only to the corresponding option.\nAnswer:",
    "lmms-eval": "Question: {question}\nChoices: {choices}\nReply only to the corresponding option.\nAnswer:",
}


def prompt(row: Row, protocol: str = "official") -> str:
    """Question and choices, in the official code with nothing between them.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    words = PROMPTS["lmms-eval" if protocol in ("lmms-eval", "vlmevalkit") else "official"]
    return words.format(question=row["question"], choices=row["choices"])


_CARD = Card(
    name="viewspatial",
    title="ViewSpatial-Bench",
    fields=("question_type", "question", "choices", "answer"),
    identity=("image_path", "question", "choices"),
    letter_of=lambda row: bare_letter(row["answer"]),
    options_of=lambda row: options_in_text(str(row["choices"])),
    task_of=lambda row: str(row["question_type"]),
    expected_rows={"test": 5712},
)
_MEANS = TaskMeans(_CARD.task_of, overall="rows")
_RULE = {
    "last-line": "only the last line of a reply is read",
    "article": "its first lone A to D counts in any case: 'on a chair: B' names A",
}
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official", "the scorer of ViewSpatial-Bench (2e85a5e)", lambda reply, row: last_line_letter(reply), _MEANS,
        _RULE,
    ),
    _CARD.protocol(
        "lmms-eval", "lmms-eval 0.7 (EASI): the official rule, another prompt",
        lambda reply, row: last_line_letter(reply), _MEANS, _RULE,
    ),
    _CARD.protocol(
        "vlmevalkit", "VLMEvalKit by rules without a judge", lambda reply, row: option_letter(reply), _MEANS
    ),
    _CARD.strict(_MEANS),
)  # fmt: skip
