"""Questions of one scene: facts within the ambiguity policy, each worded in every format of its task.

Every task of every scene has its own random stream, derived from (seed, scene id, task): any of them can be made again
alone, in any process, with the same result.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from spaceland.errors import SourceError
from spaceland.questions.answers import value_to_json
from spaceland.questions.camera import heading_elevation_roll
from spaceland.questions.conventions import Conventions
from spaceland.questions.facts import Fact, TaskContext, vector
from spaceland.questions.marks import Mark
from spaceland.questions.phrasing import Deck, Phrased, phrase
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.scene_views import SceneViews
from spaceland.questions.tasks import TASKS, Task
from spaceland.scenes.scene import Frame, Scene
from spaceland.visibility import SceneVisibility, scene_visibility

_MIN_SAME_ANSWER = 3
"""So many facts of a task in a scene may have the same answer, however few there are."""


@dataclass(frozen=True)
class Question:
    """One question about one scene. `frames` are frame ids in the order in which the images are shown."""

    id: str
    task: str
    format: str
    scene: str
    frames: tuple[str, ...]
    question: str
    answer: str
    options: tuple[str, ...] | None
    marks: tuple[Mark, ...]
    facts: dict[str, Any]
    seed: int


@dataclass(frozen=True)
class Asked:
    """Questions of a scene, and what was rejected: {task or "views": {reason: count}}.

    `rejection_examples` has the same keys and the first candidates of each reason (see `Rejected.to_json`).
    """

    questions: tuple[Question, ...]
    rejections: dict[str, dict[str, int]]
    rejection_examples: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)


def ask(
    scene: Scene,
    tasks: Sequence[str] | None = None,
    *,
    per_scene: int = 20,
    seed: int = 0,
    policy: AmbiguityPolicy | None = None,
    conventions: Conventions | None = None,
    visibility: SceneVisibility | None = None,
) -> Asked:
    """Ask about a scene.

    Args:
        scene: The scene.
        tasks: Task names; all tasks by default.
        per_scene: At most so many facts of each task; each becomes one row in each format of its task.
        seed: Another seed picks other facts, wordings and options.
        policy: What counts as clear.
        conventions: What distances and depths mean, and how they are rounded.
        visibility: Measured already; computed when not given.

    Raises:
        SourceError: an unknown task name.
    """
    names = check_tasks(tasks)
    views = SceneViews(scene, visibility or scene_visibility(scene), policy or AmbiguityPolicy())
    questions: list[Question] = []
    rejections: dict[str, dict[str, int]] = {}
    examples: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in names:
        context = TaskContext(views, conventions)
        questions.extend(_ask_task(context, TASKS[name], per_scene, seed))
        rejections[name] = dict(sorted(context.rejections.items()))
        examples[name] = dict(context.rejected.to_json(scene, views.visibility))
    rejections["views"] = dict(sorted(views.rejections.items()))
    examples["views"] = dict(views.rejected.to_json(scene, views.visibility))
    return Asked(tuple(questions), rejections, examples)


def check_tasks(tasks: Sequence[str] | None) -> list[str]:
    """Known task names in their standing order, or an error that names the known ones."""
    unknown = sorted(set(tasks or ()) - set(TASKS))
    if unknown:
        raise SourceError(f"unknown task {', '.join(unknown)}; known tasks are {', '.join(TASKS)}")
    return [name for name in TASKS if tasks is None or name in tasks]


def _ask_task(context: TaskContext, task: Task, per_scene: int, seed: int) -> list[Question]:
    rng = Random(f"{seed}:{context.scene.id}:{task.name}")
    decks, verdicts = dict[int, Deck](), Deck(2, rng)
    questions: list[Question] = []
    taken: set[str] = set()
    asked: set[tuple[object, ...]] = set()
    same_answer: Counter[object] = Counter()
    num_facts = 0
    if per_scene <= 0:
        return []
    for fact in task.propose(context, rng):
        things = frozenset(fact.objects.values())
        if context.asked_enough(things):
            context.reject("same objects asked about before", fact.frames, tuple(fact.objects.values()))
            continue
        again = _same_again(fact)
        if again in asked:
            context.reject("asked before, perhaps in another order", fact.frames, tuple(fact.objects.values()))
            continue
        answer = _category(fact)
        share = max(context.policy.max_answer_share, 1.1 / task.wording.num_options)
        most = max(_MIN_SAME_ANSWER, math.ceil(share * (num_facts + 1)))
        if answer is not None and same_answer[answer] + 1 > most:
            context.reject("answer too frequent", fact.frames, tuple(fact.objects.values()))
            continue
        rows = []
        facts = _shared_facts(context, fact)
        wording = task.wording if task.wording.of_fact is None else task.wording.of_fact(fact)
        # Questions with two, three and four options are balanced each among themselves.
        if wording.num_options not in decks:
            decks[wording.num_options] = Deck(wording.num_options, rng)
        for format in task.formats:
            phrased = phrase(fact, format, wording, rng, decks[wording.num_options], verdicts)
            if phrased is None:
                context.reject(f"no good wrong options ({format})", fact.frames, tuple(fact.objects.values()))
                continue
            row = _question(context, fact, format, phrased, facts, seed)
            if row.id in taken:
                context.reject("duplicate", fact.frames, tuple(fact.objects.values()))
                continue
            taken.add(row.id)
            rows.append(row)
        if rows:
            context.count_asked(things)
            same_answer[answer] += 1
            asked.add(again)
            questions.extend(rows)
            num_facts += 1
        if num_facts == per_scene:
            break
    return questions


def _category(fact: Fact) -> object:
    """An answer of few possible ones, which could be guessed without looking; None where there are many."""
    return str(fact.answer.value) if fact.answer.kind in ("relation", "count", "choice", "words") else None


def _same_again(fact: Fact) -> tuple[object, ...]:
    """Equal for facts that ask the same of the same objects in the same views, in whatever order.

    Objects may be exchanged where the answer is a number: it then is the same distance, or the same difference.
    """
    numeric = fact.answer.kind in ("number", "count")
    who = frozenset(fact.objects.values()) if numeric else frozenset(fact.objects.items())
    numbers = "" if fact.objects else repr(fact.values)
    return frozenset(fact.frames), who, repr(value_to_json(fact.answer)), numbers


def _shared_facts(context: TaskContext, fact: Fact) -> dict[str, Any]:
    """What the rows of a fact in all formats tell of it."""
    known = context.views.told_centers
    for object_id in fact.objects.values():
        if object_id not in known:
            known[object_id] = vector(context.thing(object_id).center)
    centers = {role: list(known[object_id]) for role, object_id in fact.objects.items()}
    return {
        "kind": fact.answer.kind,
        "value": value_to_json(fact.answer),
        "unit": getattr(fact.answer, "unit", None),
        "frames": list(fact.frames),
        "objects": dict(fact.objects),
        "labels": dict(fact.labels),
        "centers_world_m": centers,
        "values": dict(fact.values),
        "params": dict(fact.params),
        "cameras": _cameras(context, fact) if len(fact.frames) <= 3 else [],
    }


def _question(
    context: TaskContext, fact: Fact, format: str, phrased: Phrased, facts: Mapping[str, Any], seed: int
) -> Question:
    # The id depends on what is asked, not on its wording: one fact gives one row in each format.
    identity = json.dumps([context.scene.id, fact.task, format, fact.frames, dict(fact.objects)], ensure_ascii=False)
    digest = hashlib.blake2b(identity.encode(), digest_size=5).hexdigest()
    return Question(
        id=f"{context.scene.id}-{fact.task}-{format}-{digest}",
        task=fact.task,
        format=format,
        scene=context.scene.id,
        frames=fact.frames,
        question=phrased.question,
        answer=phrased.answer,
        options=phrased.options,
        marks=fact.marks,
        facts={**facts, "template": phrased.template},
        seed=seed,
    )


def _cameras(context: TaskContext, fact: Fact) -> list[dict[str, float]]:
    """Where the cameras of single and two-view questions stand, for top views: metres and degrees."""
    known = context.views.camera_places
    for frame_id in fact.frames:
        if frame_id not in known:
            known[frame_id] = _camera(context.scene.frames_by_id[frame_id])
    return [known[frame_id] for frame_id in fact.frames]


def _camera(frame: Frame) -> dict[str, float]:
    x, y, z = (round(float(v), 4) + 0.0 for v in frame.T_world_cam[:3, 3])
    heading, elevation, _ = heading_elevation_roll(frame.T_world_cam)
    fov = 2 * np.degrees(np.arctan(frame.camera.width / 2 / frame.camera.fx))
    angles = {"heading_deg": heading, "elevation_deg": elevation, "horizontal_fov_deg": float(fov)}
    return {"x": x, "y": y, "z": z, **{name: round(v, 2) + 0.0 for name, v in angles.items()}}
