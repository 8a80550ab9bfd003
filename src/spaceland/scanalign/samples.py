"""Samples of ScanAlign: each annotation that the scene's numbers can carry, as a question and an answer.

Nothing is invented: descriptions and answers are the annotators'. What is left out is counted by reason.

Worked example. ScanRefer describes object 7 of a scene; the best proposal for it is number 12 with an overlap of 0.61.
At a threshold of 0.5 the sample is kept with the answer "<OBJ012>.", at 0.75 it is counted as "no proposal fits well
enough".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from spaceland.scanalign.annotations import Annotation
from spaceland.scanalign.proposals import Match, Overlaps
from spaceland.scanalign.texts import (
    SHORT_ANSWER,
    TEMPLATES,
    bare,
    capitalised,
    draw,
    fill,
    found_answer,
    object_token,
    sentences,
)

SOURCES = ("scanqa", "sqa3d", "scan2cap", "scanrefer", "multi3drefer")
PAPER = {"scanqa": 26138, "sqa3d": 26623, "scan2cap": 35056, "scanrefer": 35061, "multi3drefer": 41408}
"""Samples of each source in the paper; 164,286 in all."""


@dataclass(frozen=True)
class Sample:
    """A question and its answer about one scene. `numbers` are those in the answer or the question."""

    id: str
    source: str
    scene: str
    question: str
    answer: str
    references: tuple[str, ...]
    object_ids: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    iou: float | None = None
    kind: str = ""


@dataclass(frozen=True)
class Rules:
    """How annotations become samples. `training`: several samples per question, matches below `min_iou` left out."""

    min_iou: float = 0.5
    training: bool = True
    wrap_captions: bool = False
    """Captions between "sos" and "eos", as some trainers want them."""
    templates: Mapping[str, Sequence[str]] = field(default_factory=lambda: TEMPLATES)
    seed: int = 0


def make_samples(
    source: str,
    annotations: Sequence[Annotation],
    overlaps: Mapping[str, Overlaps],
    rules: Rules,
    left_out: Counter[str],
) -> Iterator[Sample]:
    """Samples of one source in the order of its annotations.

    Args:
        source: One of `SOURCES`.
        annotations: All rows of the source.
        overlaps: Scene id -> how its objects and proposals overlap. Rows of other scenes are left out.
        rules: Threshold, split, templates, seed.
        left_out: Counts by reason what gives no sample.
    """
    make = {"scanqa": _scanqa, "sqa3d": _sqa3d, "scanrefer": _scanrefer, "multi3drefer": _multi3drefer}
    captions = _captioned(annotations, overlaps, rules) if source == "scan2cap" else {}
    for annotation in annotations:
        if annotation.scene not in overlaps:
            left_out["the scene is not among those given"] += 1
            continue
        # A stream of its own for each row: leaving out others changes nothing.
        rng = Random(f"{rules.seed}:{source}:{annotation.id}")
        known = overlaps[annotation.scene]
        if source == "scan2cap":
            yield from _scan2cap(annotation, captions.get(annotation.scene, {}), rules, rng, left_out)
        else:
            yield from make[source](annotation, known, rules, rng, left_out)


def _scanqa(row: Annotation, known: Overlaps, rules: Rules, rng: Random, left_out: Counter[str]) -> Iterator[Sample]:
    question = f"{row.texts[0]} {SHORT_ANSWER}"
    answers = [a for k, a in enumerate(row.answers) if k == 0 or a != row.answers[k - 1]]
    if not answers:
        left_out["no answer"] += 1
    for k, answer in enumerate(answers if rules.training else answers[:1]):
        suffix = f"#{k}" if rules.training and len(answers) > 1 else ""
        yield Sample(row.id + suffix, "scanqa", row.scene, question, capitalised(answer), row.answers, row.object_ids)


def _sqa3d(row: Annotation, known: Overlaps, rules: Rules, rng: Random, left_out: Counter[str]) -> Iterator[Sample]:
    if not row.answers:
        left_out["no answer"] += 1
        return
    *situations, question = row.texts
    situation = draw(situations, rng) if rules.training else situations[0]
    answer = draw(row.answers, rng) if rules.training else row.answers[0]
    text = f"{situation} {question} {SHORT_ANSWER}"
    yield Sample(row.id, "sqa3d", row.scene, text, capitalised(answer), row.answers, kind=_question_kind(question))


def _scanrefer(row: Annotation, known: Overlaps, rules: Rules, rng: Random, left_out: Counter[str]) -> Iterator[Sample]:
    match = _match(row.object_ids[0], known, rules, left_out)
    if match is None:
        return
    text = fill(draw(rules.templates["scanrefer"], rng), description=bare(row.texts[0]))
    answer = f"{object_token(match.number)}."
    yield Sample(
        row.id, "scanrefer", row.scene, text, answer, (answer,), row.object_ids, (match.number,), match.iou, row.kind
    )


def _multi3drefer(
    row: Annotation, known: Overlaps, rules: Rules, rng: Random, left_out: Counter[str]
) -> Iterator[Sample]:
    matches = [_match(object_id, known, rules, left_out) for object_id in row.object_ids]
    if None in matches:
        return
    numbers = [match.number for match in matches if match is not None]
    if len(set(numbers)) < len(numbers) and rules.training:
        left_out["two objects have the same proposal"] += 1
        return
    numbers = sorted(set(numbers))
    text = fill(draw(rules.templates["multi3drefer"], rng), description=bare(row.texts[0]))
    answer = found_answer(numbers)
    iou = min((match.iou for match in matches if match is not None), default=None)
    yield Sample(
        row.id, "multi3drefer", row.scene, text, answer, (answer,), row.object_ids, tuple(numbers), iou, row.kind
    )


def _scan2cap(
    row: Annotation, captioned: Mapping[int, Match], rules: Rules, rng: Random, left_out: Counter[str]
) -> Iterator[Sample]:
    match = captioned.get(row.object_ids[0])
    if match is None:
        left_out["no proposal fits well enough"] += 1
        return
    text = fill(draw(rules.templates["scan2cap"], rng), object=object_token(match.number))
    answer = sentences(row.texts[0])
    answer = f"sos {answer} eos" if rules.wrap_captions else answer
    yield Sample(row.id, "scan2cap", row.scene, text, answer, (answer,), row.object_ids, (match.number,), match.iou)


def _captioned(
    annotations: Sequence[Annotation], overlaps: Mapping[str, Overlaps], rules: Rules
) -> dict[str, dict[int, Match]]:
    """Scene -> described object -> its proposal. On other splits than training a bad proposal is better than none."""
    described: dict[str, set[int]] = {}
    for row in annotations:
        described.setdefault(row.scene, set()).add(row.object_ids[0])
    least = rules.min_iou if rules.training else 1e-9
    return {
        scene: overlaps[scene].captioned(sorted(ids), least) for scene, ids in described.items() if scene in overlaps
    }


def _match(object_id: int, known: Overlaps, rules: Rules, left_out: Counter[str]) -> Match | None:
    if object_id not in known.object_ids:
        left_out["the object is not in the scene"] += 1
        return None
    match = known.best(object_id)
    if match is None or (rules.training and match.iou < rules.min_iou):
        left_out["no proposal fits well enough"] += 1
        return None
    return match


def _question_kind(question: str) -> str:
    """SQA3D's type of a question: its first word where that is one of five."""
    start = question.lstrip().lower()
    return next((word for word in ("what", "is", "how", "can", "which") if start.startswith(word)), "other")
