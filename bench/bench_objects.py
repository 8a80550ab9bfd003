"""How many objects of sample rooms are found again from perfect and from disturbed masks, and how long it takes.

Recall counts the objects that are seen (100 pixels or more) in at least 3 frames; precision counts all that were found,
apart from those that match an object seen less often.

    python bench/bench_objects.py
    python bench/bench_objects.py --rooms 1 2 3 --frames 60
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from spaceland.objects.evaluate import score_objects
from spaceland.objects.find import find_objects
from spaceland.objects.labels import Labels
from spaceland.objects.simulate import Noise, disturbed, true_detections
from spaceland.objects.types import Detection
from spaceland.scenes.scene import Frame, Scene
from spaceland.scenes.sources import open_scene

MIN_FRAMES = 3


def in_memory(scene: Scene) -> Scene:
    """The scene with depth held in memory, so that rendering it is not measured."""

    def held(frame: Frame) -> Frame:
        assert frame.depth is not None
        depth = np.asarray(frame.depth())
        return replace(frame, depth=lambda: depth)

    return replace(scene, frames=tuple(held(frame) for frame in scene.frames))


def boxes_only(detections: Mapping[str, Sequence[Detection]]) -> dict[str, list[Detection]]:
    """Without their masks."""
    return {frame: [replace(thing, mask=None) for thing in things] for frame, things in detections.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, nargs="+", default=[7, 8, 12, 21, 33, 40])
    parser.add_argument("--frames", type=int, default=32)
    args = parser.parse_args()
    kinds = ("perfect masks", "disturbed masks", "perfect boxes")
    totals: dict[tuple[str, float, bool], Counter[str]] = {}
    spent, num_detections, num_frames = Counter[str](), Counter[str](), Counter[str]()
    for room in args.rooms:
        scene = in_memory(open_scene(f"rooms:{room}?frames={args.frames}"))
        perfect = true_detections(scene)
        views = Counter(thing.track for things in perfect.values() for thing in things)
        perfect = {frame: [replace(thing, track=-1) for thing in things] for frame, things in perfect.items()}
        aside = {thing.id for thing in scene.objects if views[thing.id] < MIN_FRAMES}
        noisy = disturbed(perfect, Noise(seed=room), [thing.label for thing in scene.objects])
        for kind, detections in zip(kinds, (perfect, noisy, boxes_only(perfect)), strict=True):
            start = time.process_time()
            found = find_objects(scene, detections)
            spent[kind] += time.process_time() - start
            num_detections[kind] += sum(map(len, detections.values()))
            num_frames[kind] += len(detections)
            for iou in (0.25, 0.5):
                for by_label in (False, True):
                    score = score_objects(
                        found.objects, scene.objects, iou, labels=Labels() if by_label else None, set_aside=aside
                    )
                    total = totals.setdefault((kind, iou, by_label), Counter())
                    total += Counter(hit=len(score.pairs), missed=len(score.missed), wrong=len(score.wrong))
                    totals[kind, iou, by_label] = total
    print(f"{len(args.rooms)} rooms, {args.frames} frames each; recall / precision in percent")
    print(
        f"{'':<18}{'IoU 0.25':>14}{'with label':>14}{'IoU 0.5':>14}{'with label':>14}{'frames':>9}{'seen':>7}{'s':>7}"
    )
    for kind in kinds:
        cells = []
        for iou in (0.25, 0.5):
            for by_label in (False, True):
                total = totals[kind, iou, by_label]
                recall = total["hit"] / max(1, total["hit"] + total["missed"])
                precision = total["hit"] / max(1, total["hit"] + total["wrong"])
                cells.append(f"{100 * recall:.1f} / {100 * precision:.1f}")
        row = "".join(f"{cell:>14}" for cell in cells)
        print(f"{kind:<18}{row}{num_frames[kind]:>9}{num_detections[kind]:>7}{spent[kind]:>7.1f}")


if __name__ == "__main__":
    main()
