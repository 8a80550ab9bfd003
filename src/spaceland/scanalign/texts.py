"""Questions and answers in the form that GPT4Scene was trained on.

The forms of ScanQA, SQA3D, ScanRefer and Multi3DRefer answers are the paper's. Its caption and grounding questions are
drawn from lists that were never printed; `TEMPLATES` holds ours, and a JSON file of the same shape replaces them:

    {"scan2cap": ["... {object} ..."], "scanrefer": ["... {description} ..."], "multi3drefer": [...]}

An object is written <OBJ012>; its picture shows the plain number 12.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from spaceland.errors import SourceError
from spaceland.files import read_json

SHORT_ANSWER = "Answer the question using a single word or phrase."

TEMPLATES: Mapping[str, Sequence[str]] = {
    "scan2cap": (
        "Describe what {object} looks like, then where it is relative to other objects in the scene.",
        "What does {object} look like, and how does it lie with respect to the things around it?",
        "Give the appearance of {object} first, and its spatial relations to other objects in the scene after it.",
        "Begin with the appearance of {object} and go on with its place among the other objects of the scene.",
        "Tell the looks of {object} and then its position relative to other objects in the scene.",
        "Portray {object}: how it looks, and how it relates in space to the other objects of this scene.",
        "Outline how {object} appears, followed by where it stands in relation to its surroundings.",
        "For {object}, describe the appearance, then the spatial relations to the rest of the scene.",
        "Say how {object} looks and then how it is placed relative to other things in the scene.",
        "Characterise {object} by its appearance first and by its relations to nearby objects second.",
    ),
    "scanrefer": (
        'Which object fits the description "{description}"? Give its ID.',
        'Give the ID of the object that the description "{description}" is about.',
        'State the ID of the object that matches "{description}".',
        'What is the ID of the object described as "{description}"?',
        'Find the object with the description "{description}" and tell its ID.',
        'The description "{description}" means one object. What is its ID?',
        'Identify the object by the description "{description}" and answer with its ID.',
        'Name the ID of the object to which the description "{description}" applies.',
        'According to the description "{description}", which object is meant? Answer with the ID.',
    ),
    "multi3drefer": (
        'Are there objects that fit the description "{description}"? If so, give their IDs.',
        'Does the description "{description}" apply to any objects? If it does, list the IDs.',
        'Do any objects match "{description}"? Please state their IDs if there are some.',
        'Is there anything in the scene described by "{description}"? If yes, name the IDs.',
        'Can you find objects that are described as "{description}"? If you can, give the IDs.',
        'Which objects, if any, does "{description}" describe? Answer with their IDs.',
        'Check whether objects fit "{description}", and tell their IDs if they do.',
        'Would any object be described as "{description}"? In that case list the IDs.',
        'Look for objects with the description "{description}". If there are any, what are their IDs?',
        'Does anything match the description "{description}"? If so, state the IDs.',
    ),
}


def read_templates(path: Path | None) -> Mapping[str, Sequence[str]]:
    """Templates from a JSON file, ours for what it leaves out.

    Raises:
        SourceError: unknown names, no lists of texts, or a text without its place holder.
    """
    if path is None:
        return TEMPLATES
    data = read_json(path)
    if not isinstance(data, dict) or set(data) - set(TEMPLATES):
        raise SourceError(f"{path}: expected an object with the keys {', '.join(TEMPLATES)}")
    for name, texts in data.items():
        holder = "{object}" if name == "scan2cap" else "{description}"
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and holder in t for t in texts):
            raise SourceError(f"{path}: {name} must be a list of texts that contain {holder}")
    return {**TEMPLATES, **data}


def object_token(number: int) -> str:
    """How texts write an object.

    >>> object_token(12)
    '<OBJ012>'
    """
    return f"<OBJ{number:03d}>"


def fill(template: str, **values: str) -> str:
    """Put values into a template without reading braces in the values."""
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def draw(texts: Sequence[str], rng: Random) -> str:
    """One of several texts."""
    return texts[rng.randrange(len(texts))]


def capitalised(text: str) -> str:
    """First letter upper case, a full stop at the end.

    >>> capitalised("dark brown"), capitalised("It is red.")
    ('Dark brown.', 'It is red.')
    """
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def sentences(text: str) -> str:
    """A description with a capital letter at the beginning of each sentence, and single spaces.

    >>> sentences("this is a chair. it is brown .")
    'This is a chair. It is brown.'
    """
    words = " ".join(text.split()).replace(" .", ".").replace(" ,", ",")
    parts = [part.strip() for part in words.split(". ")]
    return capitalised(". ".join(part[:1].upper() + part[1:] for part in parts if part))


def bare(description: str) -> str:
    """A description without its final punctuation mark, as it stands in a question.

    >>> bare("the chair by the door. ")
    'the chair by the door'
    """
    text = " ".join(description.split())
    return text[:-1].rstrip() if text.endswith((".", "!", "?")) else text


def found_answer(numbers: Sequence[int]) -> str:
    """The answer to which objects fit.

    >>> found_answer([]), found_answer([1]), found_answer([4, 1]), found_answer([9, 1, 4])
    ('No.', 'Yes. <OBJ001>.', 'Yes. <OBJ001> and <OBJ004>.', 'Yes. <OBJ001>, <OBJ004>, and <OBJ009>.')
    """
    tokens = [object_token(number) for number in sorted(numbers)]
    if not tokens:
        return "No."
    if len(tokens) < 3:
        return f"Yes. {' and '.join(tokens)}."
    return f"Yes. {', '.join(tokens[:-1])}, and {tokens[-1]}."
