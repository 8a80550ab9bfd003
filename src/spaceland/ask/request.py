"""From marked views and a question to the messages for a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from spaceland.ask.explain import Situation, box_table, describe_situation, explain, free_number, known_mark
from spaceland.ask.layout import Arranged, LayoutConfig, arrange
from spaceland.ask.marked import MarkedFolder
from spaceland.ask.templates import TASKS, ZERO_SHOT, Task, Templates, fill, object_id
from spaceland.chat.types import Generation, Message, Picture
from spaceland.errors import ChatError


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
    if config.task not in TASKS:
        raise ChatError(f"unknown task '{config.task}'; tasks are: {', '.join(TASKS)}")
    shown = arrange(marked, config.layout)
    templates = config.templates
    question = _question(marked, shown, " ".join(text.split()), config)
    example = free_number([thing.mark for thing in marked.objects])
    answer = fill(templates.answers[config.task], {"example": object_id(example), "number": str(example)})
    if templates.explains:
        parts = [explain(marked, shown)]
        if config.table and marked.objects:
            parts.append(box_table(marked))
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
    needed = {"caption": 1, "distance": 0 if text else 2}.get(task, 0)
    if len(ids) < needed:
        raise ChatError(
            f"task {task} needs {needed} numbered object{'s' if needed > 1 else ''}: "
            f"give --marks {' '.join('AB'[:needed])}"
        )
    if task not in ("caption", "distance") and not text:
        raise ChatError(f"task {task} needs a text: the question, description or things to count")
    if task == "count" and text.endswith("?"):
        return fill(config.templates.questions["qa"], {"question": text})
    if task == "distance" and text:
        return fill(config.templates.questions["qa"], {"question": text})
    values = {"question": text, "description": text.rstrip(".!? "), "things": text}
    if task == "situated":
        if config.situation is None:
            raise ChatError("a situated question needs a situation: give --situation, --at or --facing")
        first_person = not config.templates.explains
        values["situation"] = describe_situation(config.situation, marked, shown, first_person=first_person)
    if ids:
        values |= {"object": ids[0], "first": ids[0], "second": ids[-1]}
    return fill(template, values)
