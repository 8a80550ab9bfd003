"""The words around a question, for each task.

Two sets. `ZERO_SHOT` is for any model: the request explains the pictures (see `explain`), asks, and says in which form
to answer. `FINETUNED` is for the released GPT4Scene model: no explanation; for questions and situated questions the
text is exactly the one it was tuned on,

    What is next to the sofa? Answer the question using a single word or phrase.

For captions and grounding it was tuned on nine or ten wordings of each, drawn at random; the wordings here ask the same
in one way. It was not tuned on counting and distances, which are asked as questions. Every text can be replaced through
a JSON file (`read_templates`). Words in braces are filled in; what is filled in is never looked at again, so braces in
a question stay braces.

    {question} {situation} {object} {first} {second} {description} {things} {example} {number}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from spaceland.errors import ChatError
from spaceland.files import read_json

Task = Literal["qa", "situated", "caption", "ground", "ground-all", "count", "distance"]
TASKS: tuple[Task, ...] = ("qa", "situated", "caption", "ground", "ground-all", "count", "distance")
_SLOT = re.compile(r"\{([a-z]+)\}(\.(?!\.))?")


@dataclass(frozen=True, kw_only=True)
class Templates:
    """System text, and for each task the question and how to answer. `explains`: pictures are explained before."""

    system: str
    explains: bool
    questions: Mapping[Task, str]
    answers: Mapping[Task, str]


_IDS = (
    "Write an object that has a number as <OBJ###> with its number in three digits, such as {example} for number "
    "{number}."
)
_ABSTAIN = "If the pictures do not show what is asked, say so instead of guessing."
ZERO_SHOT = Templates(
    system=(
        "You answer questions about one room. You see pictures of it in which objects carry numbers; the same number "
        "is the same object in all pictures. Use only what the pictures show and what the text says about them."
    ),
    explains=True,
    questions={
        "qa": "Question: {question}",
        "situated": "{situation}\nQuestion, from this place and in this direction: {question}",
        "caption": "Describe {object}: first how it looks, then where it is among the things around it.",
        "ground": 'Which object is meant by this description: "{description}"?',
        "ground-all": 'Which objects are meant by this description: "{description}"? There may be none, or several.',
        "count": "How many {things} are in the room? Count each one once, even if several pictures show it.",
        "distance": ("How far is {first} from {second}, between their nearest points, in metres?"),
    },
    answers={
        "qa": f"Answer in one or two sentences. {_IDS} {_ABSTAIN}",
        "situated": (
            "Answer in one or two sentences. Left, right, front and back are those of the person described. "
            f"{_IDS} {_ABSTAIN}"
        ),
        "caption": f"Answer in two or three sentences. {_IDS}",
        "ground": f"Answer with one object and nothing else. {_IDS} If none fits, answer: none.",
        "ground-all": f"Answer with the objects, separated by commas, alone. {_IDS} If none fits, answer: none.",
        "count": (
            f"Answer with the count in digits, a colon, and then those of the counted objects that have numbers. {_IDS}"
        ),
        "distance": "Answer with one number in metres and nothing else. Estimate it where you cannot be sure.",
    },
)
_SHORT = "Answer the question using a single word or phrase."
FINETUNED = Templates(
    system="You are a helpful assistant.",
    explains=False,
    questions={
        "qa": "{question}",
        "situated": "{situation} {question}",
        "caption": "Describe the appearance of {object}, then its spatial relation to other objects in the scene.",
        "ground": 'What is the ID of the object that fits the description "{description}"?',
        "ground-all": (
            'Are there any objects fitting the description of "{description}"? If so, kindly provide the IDs.'
        ),
        "count": "How many {things} are in the room?",
        "distance": "How far is {first} from {second} in metres?",
    },
    answers={"qa": _SHORT, "situated": _SHORT, "caption": "", "ground": "", "ground-all": "", "count": _SHORT,
             "distance": _SHORT},
)  # fmt: skip


def object_id(mark: int) -> str:
    """How a number is written in text.

    >>> object_id(12)
    '<OBJ012>'
    """
    return f"<OBJ{mark:03d}>"


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its slots filled, in one pass. A full stop after a slot goes where its words bring their own.

    >>> fill("{situation}. {question}.", {"situation": "I sit", "question": "Is the door on the right?"})
    'I sit. Is the door on the right?'
    >>> fill("{question} {unknown}", {"question": "Is {it} here?"})
    'Is {it} here? {unknown}'
    """

    def filled(slot: re.Match[str]) -> str:
        if slot[1] not in values:
            return slot[0]
        value = values[slot[1]]
        return value if value.endswith((".", "!", "?")) else value + (slot[2] or "")

    return _SLOT.sub(filled, template)


def read_templates(path: Path, base: Templates) -> Templates:
    """`base` with the texts of a JSON file instead: {"system": "...", "questions": {"qa": "..."}, "answers": {...}}.

    Raises:
        SceneError: the file is missing or no JSON.
        ChatError: it holds other keys, unknown tasks or texts that are none.
    """
    data = read_json(path)
    if not isinstance(data, dict) or set(data) - {"system", "questions", "answers"}:
        raise ChatError(f"{path}: templates are a JSON object with system, questions and answers; see docs/ask.md")
    system = data.get("system", base.system)
    if not isinstance(system, str):
        raise ChatError(f"{path}: system is no text")
    texts: dict[str, dict[Task, str]] = {}
    for part, old in (("questions", base.questions), ("answers", base.answers)):
        new = data.get(part, {})
        bad = (
            [k for k, v in new.items() if k not in TASKS or not isinstance(v, str)] if isinstance(new, dict) else [part]
        )
        if bad:
            raise ChatError(f"{path}: {part} has no text for {', '.join(map(str, bad))}; tasks are {', '.join(TASKS)}")
        texts[part] = {**old, **new}
    return replace(base, system=system, questions=texts["questions"], answers=texts["answers"])
