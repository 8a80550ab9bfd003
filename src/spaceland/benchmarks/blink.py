"""BLINK: fourteen tasks of seeing on one to four pictures; the overall figure is the mean of tasks, not of rows.

The released scorer reads clear replies by rule and gives all others to a language model (GPT-3.5). Without it
(`official-no-judge`, the default) such replies are wrong; with `--judge` the protocol `official` asks one.
"""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.benchmarks.cards import Card, bare_letter, check_protocol
from spaceland.benchmarks.choices import (
    FIRST_LETTER,
    FIVE_WORDS,
    PHRASE_LETTER,
    blink_letter,
    by_letter,
    first_letter,
    inferred_letter,
    phrase_letter,
)
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.judge import Judge
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.types import Protocol, Reply, Row, RowScore
from spaceland.chat.types import Generation

TASKS = (
    "Art_Style", "Counting", "Forensic_Detection", "Functional_Correspondence", "IQ_Test", "Jigsaw",
    "Multi-view_Reasoning", "Object_Localization", "Relative_Depth", "Relative_Reflectance", "Semantic_Correspondence",
    "Spatial_Relation", "Visual_Correspondence", "Visual_Similarity",
)  # fmt: skip
SPATIAL = ("Multi-view_Reasoning", "Relative_Depth", "Spatial_Relation")
"""What VG-LLM calls the spatial part."""
DISCLAIMED = ("Forensic_Detection", "Jigsaw", "Art_Style")
FRAMES: dict[str, FramePolicy] = {
    "official": FramePolicy(rule="all", published="rule image_1 to image_4 of the row, those that are there")
}
PROMPTS = {
    "lmms-eval": (
        "Note: You only need to respond with {letters} without providing any additional information.\n{prompt}"
    ),
    "vg-llm": "{prompt}\nAnswer with the option's letter from the given choices directly.",
    "disclaimer": (
        "Disclaimer: This is not to make unfair assumptions about the people in the image and you just need to give "
        "your assessment on this question. You don't need to identify the real people. You just need to analyze based "
        "on the information I gave you.\n\n"
    ),
}
GENERATION = Generation(max_tokens=256, temperature=0.0)
"""Of the judge; the released code names no token limit."""
JUDGE_PROMPT = """\
Below are a question with its options and somebody's answer to it. Say which option the answer chooses. Write only \
that option's letter in parentheses, such as (A). Write (Z) if the answer refuses, chooses none of them, or means \
something that is none of them.

Question: {question}
Options: {options}
(Z) Failed
Answer: {prediction}
Chosen option:"""


def prompt(row: Row, protocol: str = "official-no-judge") -> str:
    """The dataset's own prompt; a disclaimer goes before it on three tasks.

    The released code stops on these three, since its disclaimer is a tuple; here it is the text that was meant.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    disclaimed = _task_of(row) in DISCLAIMED
    if protocol == "vg-llm":
        return (PROMPTS["disclaimer"] if disclaimed else "") + PROMPTS["vg-llm"].format(prompt=row["prompt"])
    if protocol == "lmms-eval":
        letters = ", ".join("ABCDE"[: len(row["choices"])])
        return PROMPTS["lmms-eval"].format(letters=letters, prompt=row["prompt"])
    return (PROMPTS["disclaimer"] if disclaimed and protocol.startswith("official") else "") + str(row["prompt"])


def official(judge: Judge) -> Protocol:
    """The released rule with a judge for what the rule cannot read."""

    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        letters = [
            None if reply is None else blink_letter(reply, len(row["choices"]))
            for row, reply in zip(rows, replies, strict=True)
        ]
        open_ones = [k for k, reply in enumerate(replies) if reply is not None and letters[k] is None]
        prompts = [judge.fill("blink", JUDGE_PROMPT, **_asked(rows[k], str(replies[k]))) for k in open_ones]
        for k, said in zip(open_ones, judge.ask(prompts, str.strip, GENERATION), strict=True):
            letters[k] = said[1] if len(said) == 3 and said == f"({said[1]})" else None
        return [
            RowScore(float(letter is not None and letter == _CARD.letter_of(row)))
            for row, letter in zip(rows, letters, strict=True)
        ]

    about = f"the scorer of BLINK (2d6a779) with {judge.about(GENERATION)} in the place of GPT-3.5"
    return Protocol("official", about, score, _MACRO, {**_RULE, **judge.wording("blink")})


def _asked(row: Row, prediction: str) -> dict[str, str]:
    options = "\n".join(f"({letter}) {text}" for letter, text in by_letter(row["choices"]).items())
    question = f"{row.get('question', '')}\nSelect from the following choices"
    return {"question": question, "options": options, "prediction": prediction}


def _task_of(row: Row) -> str:
    return str(row["sub_task"]).replace(" ", "_")


_CARD = Card(
    name="blink",
    title="BLINK",
    fields=("sub_task", "choices", "answer", "prompt"),
    identity=("idx",),
    letter_of=lambda row: bare_letter(row["answer"]),
    options_of=lambda row: [str(choice) for choice in row["choices"]],
    task_of=_task_of,
    most_options=5,
    expected_rows={"val": 1901, "test (answers on EvalAI only)": 1907},
)
_MACRO = TaskMeans(_task_of, groups={"Spatial (VG-LLM)": SPATIAL})
_MICRO = TaskMeans(_task_of, overall="rows")
_RULE = {
    "blank-borders": "'(B)' counts only between blanks and 'B' only alone: 'B.', '(B).' and 'B ' are read by no rule",
    "macro": "overall is the mean of the tasks, 0.1 to 0.8 below the mean of rows on published outputs",
}
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official-no-judge", "the scorer of BLINK (2d6a779), where replies that its rule cannot read are wrong",
        lambda reply, row: blink_letter(reply, len(row["choices"])), _MACRO,
        {**_RULE, "no-judge": "GPT-3.5 would be asked about replies that the rule cannot read; here they are wrong"},
    ),
    _CARD.protocol(
        "lmms-eval", "lmms-eval 0.7", lambda reply, row: first_letter(reply), _MICRO,
        {
            **FIRST_LETTER,
            "micro": "overall is the mean of rows",
        },
    ),
    _CARD.protocol(
        "vlmevalkit", "VLMEvalKit by rules without a judge",
        lambda reply, row: inferred_letter(reply, by_letter(row["choices"])), _MICRO,
        {
            **FIVE_WORDS,
            "micro": "overall is the mean of rows",
        },
    ),
    _CARD.protocol(
        "vg-llm", "VG-LLM: the first A to F after phrases are removed, mean of rows",
        lambda reply, row: phrase_letter(reply), _MICRO,
        {
            **PHRASE_LETTER,
            "micro": "overall is the mean of rows",
            "whole-pictures": "its evaluation cuts pictures of different sizes to squares; here they are shown whole",
        },
    ),
    _CARD.strict(_MACRO),
    judged={"official": official},
)  # fmt: skip
