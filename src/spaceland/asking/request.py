"""From marked views and a question to the messages for a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from spaceland.asking.layout import Arranged, LayoutConfig, arrange
from spaceland.asking.situation import Situation, describe_situation, free_number, known_mark
from spaceland.asking.templates import TASKS, ZERO_SHOT, Task, Templates, fill, object_id
from spaceland.chat.types import Generation, Message, Picture
from spaceland.errors import ChatError
from spaceland.prompts.marked import MarkedFolder
from spaceland.prompts.messages import explain_pictures, object_table


@dataclass(frozen=True, kw_only=True)
class AskConfig:
    """How to ask: `task`, templates, pictures, and whether boxes are given in a table."""

    task: Task = "qa"
    templates: Templates = ZERO_SHOT
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    table: bool = False
    marks: tuple[int, ...] = ()
    """The numbers asked about: one for `caption`, two for `distance`."""
    situation: Situation | None = None
    generation: Generation = field(default_factory=Generation)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What goes to a model, and the task that tells how to read the answer."""

    task: Task
    question: str
    messages: tuple[Message, ...]
    generation: Generation
    shown: Arranged


def build_request(marked: MarkedFolder, text: str, config: AskConfig | None = None) -> Request:
    """The request for a question.

    Args:
        marked: The scene's marked views.
        text: The question; for `ground` and `ground-all` the description; for `count` the things, such as "chairs", or
            a whole question; for `caption` and `distance` it may be empty.
        config: See `AskConfig`.

    Raises:
        ChatError: something that the task needs is missing, or a number does not exist.
        SceneError: a picture is missing or broken.
    """
    config = config or AskConfig()
    check_question(text, config)
    shown = arrange(marked, config.layout)
    templates = config.templates
    question = _question(marked, shown, " ".join(text.split()), config)
    example = free_number([thing.mark for thing in marked.objects])
    answer = fill(templates.answers[config.task], {"example": object_id(example), "number": str(example)})
    if templates.explains:
        parts = [explain_pictures(marked, shown)]
        if config.table and marked.objects:
            parts.append(object_table(marked, object_id))
        parts += [question, answer]
        words = "\n\n".join(part for part in parts if part)
    else:
        words = " ".join(part for part in (question, answer) if part)
    return Request(
        task=config.task,
        question=question,
        messages=(Message("system", (templates.system,)), Message("user", (*shown.pictures, words))),
        generation=config.generation,
        shown=shown,
    )


def check_question(text: str, config: AskConfig) -> None:
    """Refuse a question that lacks what its task needs, whatever the scene.

    Raises:
        ChatError: the task is unknown, or the text, numbers or situation that it needs are missing.
    """
    task, words = config.task, text.split()
    if task not in TASKS:
        raise ChatError(f"unknown task '{task}'; tasks are: {', '.join(TASKS)}")
    needed = {"caption": 1, "distance": 0 if words else 2}.get(task, 0)
    if len(config.marks) < needed:
        raise ChatError(
            f"task {task} needs {needed} numbered object{'s' if needed > 1 else ''}: "
            f"give --marks {' '.join('AB'[:needed])}"
        )
    if task not in ("caption", "distance") and not words:
        raise ChatError(f"task {task} needs a text: the question, description or things to count")
    if task == "situated" and config.situation is None:
        raise ChatError("a situated question needs a situation: give --situation, --at or --facing")


def show_request(messages: Sequence[Message]) -> str:
    """The whole request for people: texts in full, pictures by name and size."""
    lines = []
    for message in messages:
        lines.append(f"--- {message.role} ---")
        number = 0
        for part in message.content:
            if isinstance(part, Picture):
                number += 1
                kind = part.media_type.removeprefix("image/")
                size = f"{part.width} x {part.height} px, {kind}, {len(part.data) / 1024:.0f} KiB"
                lines.append(f"[Image {number}: {part.name}, {size}]")
            else:
                lines.append(part)
    return "\n".join(lines)


def _question(marked: MarkedFolder, shown: Arranged, text: str, config: AskConfig) -> str:
    task, template = config.task, config.templates.questions[config.task]
    ids = [object_id(known_mark(mark, marked)) for mark in config.marks]
    if task == "count" and text.endswith("?"):
        return fill(config.templates.questions["qa"], {"question": text})
    if task == "distance" and text:
        return fill(config.templates.questions["qa"], {"question": text})
    values = {"question": text, "description": text.rstrip(".!? "), "things": text.rstrip(".! ")}
    if task == "situated":
        assert config.situation is not None
        first_person = not config.templates.explains
        values["situation"] = describe_situation(config.situation, marked, shown, first_person=first_person)
    if ids:
        values |= {"object": ids[0], "first": ids[0], "second": ids[-1]}
    return fill(template, values)
