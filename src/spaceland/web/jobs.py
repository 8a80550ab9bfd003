"""What a job is: one source on its way to marked views, with what it said and how far it is.

    waiting -> running -> done
                       -> failed (one sentence why) or stopped; both can be resumed, finished stages are kept

A job lives in a folder, and `job.json` there outlives the server: after a restart its jobs are on the page again, those
that were not done as stopped.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from spaceland.errors import SceneError
from spaceland.files import read_json, write_json

State = Literal["waiting", "running", "stopping", "done", "failed", "stopped"]
JOB_ID = re.compile(r"[0-9a-f]{12}")
_MOST_LINES, _MOST_ANSWERS = 200, 200


class StoppedError(BaseException):
    """The user stopped the job. No Exception, so that no stage takes it for a fault of one picture and goes on."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the user wants: a source as on the command line (or an upload), and settings."""

    source: str
    title: str
    upload: str = ""
    scene: str = ""
    frames: int = 8
    scale: str = ""
    objects: str = "auto"


@dataclass
class Step:
    """A bar: how much of one piece of work is done."""

    label: str
    total: int
    done: int = 0
    note: str = ""
    started: float = 0.0
    seconds: float = 0.0
    over: bool = False


@dataclass
class Question:
    """A question and, when it is done, what `answer.json` holds."""

    id: int
    text: str
    task: str
    model: str
    marks: tuple[int, ...] = ()
    state: State = "waiting"
    error: str = ""
    record: dict[str, Any] | None = None


@dataclass
class Job:
    """A job; all fields but `id`, `order` and `folder` change while it runs, under the desk's lock."""

    id: str
    order: Order
    folder: Path
    state: State = "waiting"
    error: str = ""
    steps: list[Step] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    stop: bool = False

    def say(self, line: str) -> None:
        self.lines.append(line[:2000])
        del self.lines[:-_MOST_LINES]

    def to_json(self) -> dict[str, Any]:
        """What the page sees."""
        return {
            "id": self.id,
            "title": self.order.title,
            "source": self.order.source if not self.order.upload else "upload",
            "state": self.state,
            "error": self.error,
            "steps": [_step_json(step) for step in self.steps],
            "planned": self.planned if self.state in ("waiting", "running") else [],
            "lines": self.lines,
            "questions": [asdict(question) for question in self.questions[-_MOST_ANSWERS:]],
        }

    def save(self) -> None:
        """Write `job.json`.

        Raises:
            OutputError: the folder cannot be written.
        """
        write_json(
            self.folder / "job.json",
            {
                "order": asdict(self.order),
                "state": self.state,
                "error": self.error,
                "lines": self.lines,
                "questions": [asdict(q) for q in self.questions if q.state in ("done", "failed")],
            },
        )


def read_jobs(folder: Path) -> list[Job]:
    """Jobs of an earlier run, the oldest first; folders that hold none are passed over."""
    found = []
    for path in folder.glob("*/job.json"):
        if not JOB_ID.fullmatch(path.parent.name):
            continue
        try:
            found.append((path.stat().st_mtime_ns, _read(path)))
        except (OSError, SceneError, TypeError, ValueError, KeyError):
            continue
    return [job for _, job in sorted(found, key=lambda entry: (entry[0], entry[1].id))]


def _read(path: Path) -> Job:
    data: Mapping[str, Any] = read_json(path)
    order = Order(**data["order"])
    if not all(isinstance(getattr(order, name), kind) for name, kind in _KINDS.items()):
        raise ValueError("fields of another kind")
    state: State = data["state"] if data["state"] in ("done", "failed") else "stopped"
    questions = [_question(entry) for entry in data.get("questions", ())]
    json.dumps([asdict(q) for q in questions], allow_nan=False)
    return Job(
        path.parent.name,
        order,
        path.parent,
        state,
        str(data.get("error", "")),
        lines=[str(line) for line in data.get("lines", ())],
        questions=questions,
    )


def _question(entry: Mapping[str, Any]) -> Question:
    values: dict[str, Any] = {**entry, "marks": tuple(entry.get("marks", ()))}
    return Question(**values)


_KINDS = {"source": str, "title": str, "upload": str, "scene": str, "frames": int, "scale": str, "objects": str}


def _step_json(step: Step) -> dict[str, Any]:
    seconds = step.seconds if step.over else time.monotonic() - step.started
    return {
        "label": step.label,
        "done": min(step.done, step.total),
        "total": step.total,
        "note": step.note[:120],
        "seconds": round(seconds, 1),
        "over": step.over,
    }
