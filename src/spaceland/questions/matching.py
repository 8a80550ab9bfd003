"""The same object in a second view (SPAR `position_matching`; fill, select, sentence; two views).

Worked example. The lamp has a red bounding box in the first image. In the second image, 640 x 480, the visible part of
the lamp covers pixels 320..400 across and 96..240 down:

    question  The first image shows the lamp (red bounding box). Where is the same lamp in the second image? ...
    answer    [500, 200, 625, 500]

Boxes are x1, y1, x2, y2 around the visible part, each coordinate from 0 to 1000 of the image's width or height.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from spaceland.questions.answers import BoxAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled
from spaceland.questions.language import is_are
from spaceland.questions.marks import box_mark, box_to_thousand
from spaceland.questions.phrasing import Wording
from spaceland.questions.setups import round_robin_lazily
from spaceland.questions.viewsets import view_pairs
from spaceland.scenes.scene import Frame
from spaceland.visibility.types import ObjectView

_MAX_OPTION_IOU = 0.4


def propose_matching(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """An object that is clear in one view and nearly whole in another."""
    return round_robin_lazily(_in_pair(context, first, second, rng) for first, second in view_pairs(context, rng))


def _in_pair(context: TaskContext, first: Frame, second: Frame, rng: Random) -> Iterator[Fact]:
    policy = context.policy
    for source in shuffled(context.views.askable(first.id), rng):
        if context.asked_enough(frozenset((source.object_id,))):
            context.reject("same objects asked about before", (first.id, second.id), (source.object_id,))
            continue
        target = context.views.askable_view(second.id, source.object_id)
        label = context.label(source.object_id)
        if target is None:
            context.reject("not clearly visible in the second view", (first.id, second.id), (source.object_id,))
            continue
        if target.truncated > policy.max_target_truncated or target.occluded > policy.max_target_occluded:
            context.reject("not whole in the second view", (first.id, second.id), (source.object_id,))
            continue
        others = [view for view in context.views.visibility.in_frame(second.id) if view.object_id != source.object_id]
        if policy.unique_target_label and any(context.label(view.object_id) == label for view in others):
            twins = (source.object_id, *(view.object_id for view in others if context.label(view.object_id) == label))
            context.reject("another object of that label in the second view", (first.id, second.id), twins)
            continue
        camera = second.camera
        yield Fact(
            task="position_matching",
            frames=(first.id, second.id),
            objects={"red": source.object_id},
            labels={"red": label},
            answer=BoxAnswer(box_to_thousand(target.box_px, camera.width, camera.height)),
            marks=(box_mark("red", source, 0, first.camera.width, first.camera.height),),
            values={"other_boxes": _other_boxes(context, others, camera.width, camera.height)},
            params={
                "box": "around the visible part",
                "max_truncated": policy.max_target_truncated,
                "max_occluded": policy.max_target_occluded,
            },
        )


def _other_boxes(context: TaskContext, views: list[ObjectView], width: int, height: int) -> list[list[int]]:
    """Boxes of other annotated things in the view: the most plausible wrong answers."""
    clear = [view for view in views if not context.views.is_excluded(context.thing(view.object_id))]
    clear.sort(key=lambda view: -view.visible_px)
    return [list(box_to_thousand(view.box_px, width, height)) for view in clear[:8]]


def _iou(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    across = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = across * down
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared) if areas > shared else 0.0


def box_options(right: tuple[int, int, int, int], others: list[list[int]], place: int, rng: Random) -> list[str] | None:
    """Four boxes, the right one at index `place`; wrong ones belong to other objects or are the right one moved.

    All four differ clearly: no two overlap by more than an IoU of 0.4. Moved boxes keep the right one's size or change
    it a little and stay inside the image.
    """
    chosen: list[tuple[int, ...]] = [right]
    candidates = [tuple(box) for box in shuffled(others, rng)[:2] if box[2] - box[0] >= 20 and box[3] - box[1] >= 20]
    width, height = right[2] - right[0], right[3] - right[1]
    for _ in range(60):
        w = min(980, max(20, round(width * rng.uniform(0.7, 1.4))))
        h = min(980, max(20, round(height * rng.uniform(0.7, 1.4))))
        x, y = rng.randint(0, 1000 - w), rng.randint(0, 1000 - h)
        candidates.append((x, y, x + w, y + h))
    for box in candidates:
        if len(chosen) < 4 and all(_iou(box, other) < _MAX_OPTION_IOU for other in chosen):
            chosen.append(box)
    if len(chosen) < 4:
        return None
    wrong = chosen[1:]
    return [BoxAnswer(box).text for box in (*wrong[:place], right, *wrong[place:])]  # type: ignore[arg-type]


def _fields(fact: Fact) -> dict[str, str]:
    label = fact.labels["red"]
    # Not `fact.name`: the stems say themselves that the mark is in the first image.
    return {
        "a": f"{label} ({fact.marks[0].name})",
        "mark": fact.marks[0].name,
        "a_is": is_are(label),
        "label": label,
        "value": fact.answer.text,
    }


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, BoxAnswer)
    return box_options(fact.answer.value, fact.values["other_boxes"], place, rng)


MATCHING = Wording(
    fields=_fields,
    stems={
        "*": (
            "the first image shows the {a}. Where {a_is} the same {label} in the second image?",
            "find the {a} of the first image in the second one. Which rectangle of the second image holds the {label}?",
            "which rectangle of the second image belongs to the {a} of the first image?",
            "locate in the second image the {label} marked by the {mark} in the first.",
            "the {label} marked by the {mark} in image one can also be seen in image two. Give the coordinates there.",
            "both images show the {a} that the first one marks. Which rectangle surrounds the {label} in the second?",
        )
    },
    notes=(
        "A rectangle goes around the visible part and is written [x1, y1, x2, y2], with the top left corner of the "
        "image at 0, 0 and the bottom right one at 1000, 1000.",
        "Only what can be seen counts, not what is hidden or cut off. Coordinates run from 0 to 1000 across the width "
        "and down the height: [left, top, right, bottom].",
        "Rectangles are written [left, top, right, bottom] on a scale of 0 to 1000 in both directions, starting at "
        "the top left, and hold the visible part and no more.",
    ),
    tails={
        "fill": (
            "Answer with the rectangle only.",
            "Reply with the four numbers in brackets.",
            "Give the four coordinates and nothing else.",
            "Write just the rectangle, in brackets.",
            "State only the four coordinates in brackets.",
            "The rectangle in brackets is enough as an answer.",
        )
    },
    sentences=(
        "in the second image the {label} {a_is} inside {value}.",
        "the same {label} can be found at {value} in the second image.",
        "the rectangle {value} holds the {label} in the second image.",
        "look at {value} in the second image: there {a_is} the {label}.",
        "the second view shows the {label} within {value}.",
        "in the second image, {value} surrounds the {label}.",
    ),
    options=_options,
)
