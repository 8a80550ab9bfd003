"""The two kinds of work behind the page: a source becomes marked views, and a question becomes an answer.

Both report through callables and know nothing of servers. Everything they make lies in the job's folder:

    work/      stages of the reconstruction, kept for the next run (see `spaceland.pipeline`)
    marked/    what `spaceland mark` writes
    view/      see `views`
    answers/   one folder for each question, as `spaceland ask` writes it
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from spaceland.asking.answer import ask
from spaceland.asking.evidence import write_evidence
from spaceland.asking.layout import RELEASED
from spaceland.asking.request import AskConfig, Request, build_request, show_request
from spaceland.asking.templates import FINETUNED, TASKS, Task
from spaceland.chat.estimate import Estimate, estimate
from spaceland.chat.open_model import ModelOptions, ModelSpec, open_model, parse_model
from spaceland.chat.types import ChatModel, Generation
from spaceland.errors import ChatError, SourceError
from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.inputs import capture_path
from spaceland.pipeline.run import Bars, prepare
from spaceland.prompts import MarkConfig, mark_scene
from spaceland.prompts.marked import read_marked
from spaceland.scenes.sources import parse_spec
from spaceland.web.jobs import Order, Question
from spaceland.web.views import write_views

PAGE_TASKS: tuple[Task, ...] = ("qa", "caption", "ground", "ground-all", "count", "distance")
_TASKS = {str(task): task for task in TASKS}


def check_order(order: Order) -> None:
    """Refuse what cannot work, before it waits in a queue.

    Raises:
        SourceError, OutputError: a setting makes no sense, or the source is code.
    """
    if not order.upload:
        if not order.source.strip():
            raise SourceError("no source: drop a video, or write one such as rooms:7 or rgbd:kitchen")
        if parse_spec(order.source)[0] == "python":
            raise SourceError("readers in Python files run code, so they are for the command line: spaceland mark")
    _settings(order)
    if not 1 <= order.frames <= 64:
        raise SourceError(f"{order.frames} frames cannot be shown side by side; give 1 to 64")


def planned(order: Order) -> list[str]:
    """The pieces of work that an order most likely has, by the names of their bars."""
    last = ["marked pictures", "3D view"]
    if order.upload or capture_path(order.source) is not None:
        return ["looking at pictures", "keyframes", "poses", "depth", "scene", "objects", *last]
    return last


def make_views(order: Order, source: str, folder: Path, bars: Bars, say: Callable[[str], None]) -> None:
    """Go through all stages of a source.

    Raises:
        SpacelandError: the sentence to show.
    """
    prepared = prepare(
        source, folder / "work", _settings(order), scene_id=order.scene or None, bars=bars, say=say
    )  # fmt: skip
    scene, config = prepared.scene, MarkConfig(num_frames=order.frames)
    count = min(order.frames, len(scene.frames))
    with bars("marked pictures", max(1, count)) as advance:
        marked = mark_scene(scene, folder / "marked", config, progress=lambda done, total: advance(1, ""))
    with bars("3D view", count + 1) as advance:
        write_views(scene, marked, config, folder / "view", prepared.notes, advance)
    say(f"{len(marked.record['objects'])} numbered objects on {len(marked.frame_ids)} frames ({folder / 'marked'})")


def answer(question: Question, folder: Path, models: Models) -> dict[str, Any]:
    """Ask a model; returns the content of `answer.json`.

    Raises:
        SpacelandError: the sentence to show.
    """
    from spaceland.viewer.answer_page import write_answer_page

    marked = read_marked(folder / "marked")
    spec, model = models.open(question.model)
    request = _request(question, folder, spec)
    found = ask(model, request, marked)
    out = folder / "answers" / f"{question.id:04d}"
    guess = estimate(request.messages, request.generation, model=spec.name)
    evidence = write_evidence(out, marked, found, estimate=guess, text=question.text)
    write_answer_page(evidence)
    return evidence.record


def preview(question: Question, folder: Path) -> tuple[str, Estimate]:
    """The whole request as text, and its size; nothing is sent.

    Raises:
        SpacelandError: the sentence to show.
    """
    spec = parse_model(question.model) if question.model else None
    request = _request(question, folder, spec)
    guess = estimate(request.messages, request.generation, model=spec.name if spec else "")
    return show_request(request.messages), guess


class Models:
    """Models that were named on the command line; a local one is loaded when it is first asked."""

    def __init__(self, names: tuple[str, ...], options: ModelOptions | None = None) -> None:
        self.names = names
        self._options, self._opened = options, dict[str, tuple[ModelSpec, ChatModel]]()
        for name in names:
            parse_model(name)

    def open(self, name: str) -> tuple[ModelSpec, ChatModel]:
        """A model.

        Raises:
            ChatError: it was not named, or cannot be opened.
        """
        if name not in self.names:
            raise ChatError("no such model: name it when you start the page, with spaceland web --model")
        if name not in self._opened:
            spec = parse_model(name)
            self._opened[name] = spec, open_model(spec, self._options)
        return self._opened[name]


def _request(question: Question, folder: Path, spec: ModelSpec | None) -> Request:
    if question.task not in PAGE_TASKS:
        raise ChatError(f"unknown task '{question.task}'; tasks are: {', '.join(PAGE_TASKS)}")
    task = _TASKS[question.task]
    if spec is not None and spec.kind == "gpt4scene":
        config = AskConfig(
            task=task, marks=question.marks, templates=FINETUNED, layout=RELEASED, generation=Generation(128)
        )
    else:
        config = AskConfig(task=task, marks=question.marks, generation=Generation(512))
    return build_request(read_marked(folder / "marked"), question.text, config)


def _settings(order: Order) -> PipelineConfig:
    if order.objects not in ("auto", "none", "detector"):
        raise SourceError(f"objects '{order.objects}' cannot be chosen here; use auto, none or detector")
    if order.scale:
        from spaceland.reconstruct.scale import ScaleHint

        ScaleHint.parse(order.scale)
    return PipelineConfig(scale=order.scale or None, objects=order.objects)
