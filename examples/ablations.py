"""The paper's ablations of marked views as one loop: the same scene with one thing changed at a time.

    python examples/ablations.py rooms:7 --out out/ablations
    python examples/ablations.py room.mp4 --out out/ablations --question "How many chairs are there?"

Writes a folder for each variant (pictures, objects.json, prompt.json) and prints what a model would have to read. With
`spaceland ask out/ablations/<variant> QUESTION --model ...` each of them can be asked.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from spaceland.pipeline.config import PipelineConfig
from spaceland.pipeline.run import prepare
from spaceland.prompts import BevConfig, MarkConfig, mark_scene

BASE = MarkConfig(num_frames=32, model_long_side_px=512)
VARIANTS = {
    "full": BASE,
    "no_bev": replace(BASE, bev=None),
    "no_marks": replace(BASE, marks=False),
    "no_bev_no_marks": replace(BASE, bev=None, marks=False),
    "frames_8": replace(BASE, num_frames=8),
    "frames_16": replace(BASE, num_frames=16),
    "coverage_8": replace(BASE, num_frames=8, choose="coverage"),
    "size_128": replace(BASE, num_frames=8, model_long_side_px=128),
    "size_256": replace(BASE, num_frames=8, model_long_side_px=256),
    "marks_30_px": replace(BASE, mark_size_px=30),
    "marks_50_px": replace(BASE, mark_size_px=50),
    "drop_30_percent": replace(BASE, drop_share=0.3),
    "perspective_bev": replace(BASE, bev=BevConfig(projection="perspective")),
    "grid_of_8": replace(BASE, num_frames=8, layout="grid", model_long_side_px=1024),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a video, pictures or a scene, as for spaceland mark")
    parser.add_argument("--out", type=Path, default=Path("out/ablations"))
    parser.add_argument("--question", default=None)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    args = parser.parse_args()
    scene = prepare(args.source, args.out / "stages", PipelineConfig(), say=print).scene
    print(f"{'variant':<18}{'pictures':>9}{'megapixels':>12}{'marks':>7}")
    for name in args.only:
        made = mark_scene(scene, args.out / name, replace(VARIANTS[name], question=args.question))
        pictures = [part for part in made.prompt[0]["content"] if part["type"] == "image"]
        frames = made.record["frames"]
        pixels = sum(frame["width"] * frame["height"] for frame in frames)
        if made.record["bev"]:
            pixels += made.record["bev"]["width"] * made.record["bev"]["height"]
        marks = sum(len(frame["marks"]) for frame in frames)
        print(f"{name:<18}{len(pictures):>9}{pixels / 1e6:>12.1f}{marks:>7}")


if __name__ == "__main__":
    main()
