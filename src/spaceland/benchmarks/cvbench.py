"""CV-Bench: counting and relations in 2D, depth order and distance in 3D, on single pictures.

Overall is the mean of 2D and 3D, and 2D the mean of its two sources: a question of COCO counts otherwise than one of
Omni3D. Sources and the four tasks are reported as groups.
"""

from __future__ import annotations

from spaceland.benchmarks.cards import Card, GroupedMeans, bare_letter, check_protocol
from spaceland.benchmarks.choices import (
    FIRST_LETTER,
    FIVE_WORDS,
    PHRASE_LETTER,
    by_letter,
    cambrian_letter,
    first_letter,
    inferred_letter,
    phrase_letter,
)
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.types import Row

SOURCES = {"2D": ("ADE20K", "COCO"), "3D": ("Omni3D",)}
FRAMES: dict[str, FramePolicy] = {"official": FramePolicy(rule="all", published="rule the picture of the row")}
PROMPTS = {
    "official": "{prompt}\nAnswer with the option's letter from the given choices directly.",
    "lmms-eval": (
        "Note: You only need to respond with {letters} without providing any additional information.\n\n{prompt}"
    ),
    "vg-llm": (
        "These are frames of a video.\n{question}\nOptions:\n{options}\n"
        "Answer with the option's letter from the given choices directly."
    ),
}


def prompt(row: Row, protocol: str = "official") -> str:
    """The dataset's own prompt, which holds question and options, with what a protocol's code adds. VG-LLM asks as of a
    video, with `question` and `choices`.

    Raises:
        KeyError: there is no such protocol, or the row has no `question` for VG-LLM.
    """
    check_protocol(BENCHMARK, protocol)
    if protocol == "vg-llm":
        options = "\n".join(f"{letter}. {choice}" for letter, choice in by_letter(row["choices"]).items())
        return PROMPTS["vg-llm"].format(question=row["question"], options=options)
    letters = ", ".join("ABCDEF"[: len(row["choices"])])
    return PROMPTS.get(protocol, PROMPTS["official"]).format(prompt=row["prompt"], letters=letters)


def _task_of(row: Row) -> str:
    return "3D" if row["source"] in SOURCES["3D"] else "2D"


_CARD = Card(
    name="cvbench",
    title="CV-Bench",
    fields=("source", "choices", "answer", "prompt"),
    identity=("idx",),
    letter_of=lambda row: bare_letter(row["answer"]),
    options_of=lambda row: [str(choice) for choice in row["choices"]],
    task_of=_task_of,
    expected_rows={"test (from memory)": 2638},
)


_MEANS = GroupedMeans(lambda row: str(row["source"]), tasks=SOURCES, by=lambda row: row.get("task"))
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official", "Cambrian's scorer (539ffc3)", lambda reply, row: cambrian_letter(reply), _MEANS,
        {
            "first-character": "the first character after 'answer is' decides: 'Because' names B, 'answer is: B' none",
            "mean-of-sources": "2D is the plain mean of ADE20K and COCO, overall of 2D and 3D, whatever the row counts",
        },
    ),
    _CARD.protocol(
        "lmms-eval", "lmms-eval 0.7, with the official formula", lambda reply, row: first_letter(reply), _MEANS,
        {
            **FIRST_LETTER,
            "row-mean": "its plain task prints the mean of rows, which is no figure here; its 'default' task this one",
        },
    ),
    _CARD.protocol(
        "vlmevalkit", "VLMEvalKit by rules without a judge",
        lambda reply, row: inferred_letter(reply, by_letter(row["choices"])), _MEANS,
        FIVE_WORDS,
    ),
    _CARD.protocol(
        "vg-llm", "VG-LLM: the first A to F after phrases are removed", lambda reply, row: phrase_letter(reply),
        _MEANS, PHRASE_LETTER,
    ),
    _CARD.strict(_MEANS),
)  # fmt: skip
