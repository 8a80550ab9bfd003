"""MindCube: what cannot be seen from here, from two to four views; options stand inside the question.

The setting of a row is read out of its id. The official overall figure leaves `translation` out.
"""

from __future__ import annotations

from spaceland.benchmarks.cards import Card, bare_letter, check_protocol
from spaceland.benchmarks.choices import mindcube_letter, options_in_text
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.means import TaskMeans
from spaceland.benchmarks.types import Row
from spaceland.benchmarks.vlmevalkit import option_letter

SETTINGS = ("around", "rotation", "translation", "among")
FRAMES: dict[str, FramePolicy] = {"official": FramePolicy(rule="all", published="rule all pictures of the row")}
PROMPTS = {"official": "{input_prompt}"}


def prompt(row: Row, protocol: str = "official") -> str:
    """The released `input_prompt` of the row (raw_qa, or another kind that was made); else its question.

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    return str(row.get("input_prompt") or row["question"])


def setting(row_id: str) -> str:
    """The first setting whose name is in the id, in the official order; "other" for none.

    >>> setting("aroundnew_group1_q3"), setting("among_with_translation"), setting("x1")
    ('around', 'translation', 'other')
    """
    return next((name for name in SETTINGS if name in row_id.lower()), "other")


_CARD = Card(
    name="mindcube",
    title="MindCube",
    fields=("id", "question", "gt_answer"),
    identity=("id",),
    letter_of=lambda row: bare_letter(row["gt_answer"]),
    options_of=lambda row: options_in_text(str(row["question"])),
    task_of=lambda row: setting(str(row["id"])),
    most_options=5,
    expected_rows={"full": 21154, "tiny": 1050},
)
_COUNTED = {name: (name,) for name in ("around", "rotation", "among", "other")}
_MEANS = TaskMeans(lambda row: setting(str(row["id"])), tasks=_COUNTED, overall="rows")
_LAST = "the last 'X.' of a reply counts, wherever it stands: 'B. left, not D. right' names D"
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official", "the scorer of MindCube (6d8fd9a)", lambda reply, row: mindcube_letter(reply), _MEANS,
        {
            "letter-and-stop": _LAST,
            "end-of-words": "without one, A to E before a blank or the end count inside words too: 'the SOFA' names A",
            "no-translation": "translation is reported, but does not enter the overall figure",
        },
    ),
    _CARD.protocol(
        "lmms-eval", "lmms-eval 0.7: the official rule without one pattern, and all rows in the overall figure",
        lambda reply, row: mindcube_letter(reply.strip(), anywhere=False),
        TaskMeans(lambda row: setting(str(row["id"])), overall="rows"), {"letter-and-stop": _LAST},
    ),
    _CARD.protocol(
        "vlmevalkit", "VLMEvalKit (EASI, tiny) by rules without a judge", lambda reply, row: option_letter(reply),
        TaskMeans(lambda row: setting(str(row["id"])), overall="rows"),
    ),
    _CARD.strict(_MEANS),
)  # fmt: skip
