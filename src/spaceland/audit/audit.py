"""What is uneven in a dataset, and whether that is more than a limit allows.

    report = audit_dataset(Path("out/rooms"))
    report.ok, report.problems

For every task and format: how the answers are spread, what the most frequent answer scores, and what a baseline scores
that reads the question and sees no image; by the same scorer as any model. For the whole dataset: rows that repeat each
other, labels, and how often images are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.audit.collect import Collected, Key, Pool, collect
from spaceland.audit.limits import Limits
from spaceland.audit.textonly import text_only_predictions
from spaceland.benchmarks import baseline_predictions, score_benchmark
from spaceland.benchmarks.sparbench import chance
from spaceland.datasets.rows import read_rows
from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.questions.phrasing import FORMATS
from spaceland.questions.tasks import TASKS


@dataclass(frozen=True)
class TaskAudit:
    """One task in one format. Scores are percentages of `scored` rows, None where the format is not scored."""

    task: str
    format: str
    rows: int
    distinct_answers: int
    top_answer: str
    top_answer_share: float
    letters: dict[str, int]
    chance: float | None
    scored: int
    frequency: float | None
    text_only: float | None
    exact_duplicates: int
    near_duplicates: int


@dataclass(frozen=True)
class LabelAudit:
    """Labels that facts name, against those of the scenes (None without info.json)."""

    named: int
    in_scenes: int | None
    coverage: float | None
    never_named: tuple[str, ...]
    top: tuple[tuple[str, int], ...]
    top_share: float


@dataclass(frozen=True)
class ImageAudit:
    """How many facts an image takes part in."""

    images: int
    facts: int
    mean: float
    most: int
    most_used: str


@dataclass(frozen=True)
class AuditReport:
    """Everything that was found; `problems` are the limits that are exceeded, in words."""

    rows: int
    scenes: int
    tasks: tuple[TaskAudit, ...]
    labels: LabelAudit
    images: ImageAudit
    duplicates: tuple[tuple[str, str, str], ...]
    problems: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def audit_dataset(
    folder: str | Path,
    limits: Limits | None = None,
    *,
    sample: int = 2000,
    seed: int = 0,
    progress: Callable[[int, str], None] | None = None,
) -> AuditReport:
    """Audit a dataset folder.

    Args:
        folder: What `spaceland generate` wrote.
        limits: What is tolerated.
        sample: The baselines are scored on so many rows of each task and format.
        seed: Another seed takes another sample.
        progress: Called with (1, name) after each task and format.

    Raises:
        SceneError: rows.jsonl is missing, broken or empty.
    """
    folder, limits = Path(folder), limits or Limits()
    found = collect(read_rows(folder / "rows.jsonl"), sample=sample, seed=seed)
    if not found.rows:
        raise SceneError(f"{folder / 'rows.jsonl'} holds no rows")
    info = read_json(folder / "info.json") if (folder / "info.json").exists() else {}
    scenes = info.get("scenes") if isinstance(info, dict) else None
    scenes = scenes if isinstance(scenes, dict) else {}
    rooms = {name: str(head.get("room_id") or name) for name, head in scenes.items() if isinstance(head, dict)}
    tasks = []
    for key in sorted(found.pools, key=_place):
        tasks.append(_audit_task(key, found.pools[key], rooms))
        if progress:
            progress(1, " ".join(key))
    labels, images = _audit_labels(found, scenes, info), _audit_images(found)
    problems = [problem for task in tasks for problem in _task_problems(task, limits)]
    problems += _dataset_problems(labels, images, limits)
    return AuditReport(
        found.rows, len(found.scenes), tuple(tasks), labels, images, tuple(found.examples), tuple(problems), limits
    )


def _place(key: Key) -> tuple[int, str, int, str]:
    """Tasks and formats in their standing order."""
    task, format = key
    names = list(TASKS)
    return (
        names.index(task) if task in names else len(names),
        task,
        FORMATS.index(format) if format in FORMATS else len(FORMATS),
        format,
    )


def _audit_task(key: Key, pool: Pool, rooms: Mapping[str, str]) -> TaskAudit:
    rows = [row for _, row in pool.sample]
    top, count = min(pool.answers.items(), key=lambda item: (-item[1], item[0]))
    distinct = list({str(row["id"]): row for row in rows}.values())
    frequency = baseline_predictions("sparbench", "frequency", distinct)
    return TaskAudit(
        task=key[0],
        format=key[1],
        rows=pool.rows,
        distinct_answers=len(pool.answers),
        top_answer=top,
        top_answer_share=count / pool.rows,
        letters=dict(sorted(pool.letters.items())),
        chance=chance(rows),
        scored=len(frequency),
        frequency=_score(rows, frequency),
        text_only=_score(rows, text_only_predictions(rows, rooms)),
        exact_duplicates=pool.exact_duplicates,
        near_duplicates=pool.near_duplicates,
    )


def _score(rows: Sequence[Mapping[str, Any]], predictions: Mapping[str, str]) -> float | None:
    """The mean score in percent; None where there is nothing to score.

    Only one row of an id is scored: rows that repeat an id are reported as duplicates.
    """
    by_id = {str(row["id"]): row for row in rows if str(row["id"]) in predictions}
    if not by_id:
        return None
    result = score_benchmark("sparbench", list(by_id.values()), predictions, resamples=0)
    return 100 * float(np.mean([sample.score for sample in result.samples]))


def _audit_labels(found: Collected, scenes: Mapping[str, Any], info: Any) -> LabelAudit:
    known = {
        str(entry[2])
        for head in scenes.values()
        if isinstance(head, dict) and isinstance(head.get("objects"), list)
        for entry in head["objects"]
        if isinstance(entry, list) and len(entry) > 2
    }
    config = info.get("config") if isinstance(info, dict) else None
    policy = config.get("policy") if isinstance(config, dict) else None
    excluded = policy.get("excluded_labels") if isinstance(policy, dict) else None
    known -= set(map(str, excluded)) if isinstance(excluded, list) else set()
    named = set(found.labels)
    top = sorted(found.labels.items(), key=lambda item: (-item[1], item[0]))[:10]
    return LabelAudit(
        named=len(named),
        in_scenes=len(known) if known else None,
        coverage=len(known & named) / len(known) if known else None,
        never_named=tuple(sorted(known - named)),
        top=tuple(top),
        top_share=top[0][1] / found.facts if top else 0.0,
    )


def _audit_images(found: Collected) -> ImageAudit:
    counts = found.facts_per_image
    name, most = min(counts.items(), key=lambda item: (-item[1], item[0])) if counts else ("", 0)
    mean = sum(counts.values()) / len(counts) if counts else 0.0
    return ImageAudit(len(counts), found.facts, mean, most, name)


def _task_problems(task: TaskAudit, limits: Limits) -> list[str]:
    """Limits that a task and format exceeds. Few rows are uneven by chance, so shares need a least number of them."""
    name = f"{task.task}/{task.format}"
    problems = []

    def check(value: float | None, limit: float, text: str) -> None:
        if value is not None and value > limit:
            problems.append(f"{name}: {text.format(value=value, limit=limit)}")

    check(task.exact_duplicates, limits.max_exact_duplicates, "{value:.0f} rows are repeated, at most {limit:.0f}")
    check(task.near_duplicates, limits.max_near_duplicates, "{value:.0f} rows ask the same again, at most {limit:.0f}")
    if task.rows < limits.min_rows:
        return problems
    # Where some questions have three options and others four, their letters come as often as chance is right.
    even = task.chance / 100 if task.chance else 1 / max(len(task.letters), 1)
    if task.letters:
        letter, count = max(task.letters.items(), key=lambda item: item[1])
        limit = even + (limits.max_letter_excess if task.format == "select" else limits.max_verdict_excess)
        check(
            count / task.rows, limit, f"{{value:.1%}} of the right answers are {_short(letter)}, at most {{limit:.1%}}"
        )
    if task.format != "judge":
        # Where only two or three answers are possible, none of them can be rare.
        few = 1 / task.distinct_answers + limits.max_letter_excess if task.distinct_answers > 1 else 0.0
        limit = max(limits.max_answer_share, few)
        said = f"{{value:.1%}} of the answers are '{_short(task.top_answer)}', at most {{limit:.1%}}"
        check(task.top_answer_share, limit, said)
    if task.chance is not None:
        text_gain = limits.max_text_gain_select if task.format == "select" else limits.max_text_gain_judge
        said = f"{{}} scores {{{{value:.1f}}}}, at most {{{{limit:.1f}}}} at {task.chance:.0f} by chance"
        check(task.frequency, task.chance + limits.max_frequency_gain, said.format("the most frequent answer"))
        check(task.text_only, task.chance + text_gain, said.format("the text-only baseline"))
    elif task.text_only is not None and task.frequency is not None:
        gain = "the text-only baseline gains {value:.1f} over the most frequent answer, at most {limit:.1f}"
        check(task.text_only - task.frequency, limits.max_text_gain_fill, gain)
    return problems


def _short(text: str) -> str:
    """An answer inside a message that goes through `str.format` and to a terminal."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    plain = plain if len(plain) <= 40 else plain[:37] + "..."
    return plain.replace("{", "{{").replace("}", "}}")


def _dataset_problems(labels: LabelAudit, images: ImageAudit, limits: Limits) -> list[str]:
    problems = []
    if images.facts >= limits.min_rows and labels.top_share > limits.max_label_share:
        problems.append(
            f"labels: {labels.top_share:.1%} of the facts name '{_short(labels.top[0][0])}', "
            f"at most {limits.max_label_share:.1%}"
        )
    if labels.coverage is not None and labels.coverage < limits.min_label_coverage:
        problems.append(
            f"labels: only {labels.coverage:.1%} of the scenes' labels are named, at least "
            f"{limits.min_label_coverage:.1%}"
        )
    if images.most > limits.max_facts_per_image:
        problems.append(f"images: {images.most_used} is in {images.most} facts, at most {limits.max_facts_per_image}")
    return problems
