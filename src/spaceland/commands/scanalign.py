"""`spaceland scanalign`: GPT4Scene's training set from the published annotations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from spaceland.objects.types import ObjectFinder
    from spaceland.scanalign.build import Built


def scanalign(
    scenes: tyro.conf.Positional[str],
    *,
    out: Path,
    scanqa: Path | None = None,
    sqa3d: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="QUESTIONS [ANNOTATIONS]")] = (),
    scanrefer: Path | None = None,
    multi3drefer: Path | None = None,
    captions: bool = True,
    proposals: str = "gt",
    split: Literal["train", "val"] = "train",
    min_iou: float = 0.5,
    frames: int = 32,
    bev: bool = True,
    marks: bool = True,
    drop: float = 0.0,
    mark_size: float | None = None,
    long_side: int | None = None,
    templates: Path | None = None,
    wrap_captions: bool = False,
    layout: Literal["messages", "conversations"] = "messages",
    seed: int = 0,
) -> int:
    """GPT4Scene's training set: published questions and descriptions over marked pictures of your scenes.

    Writes the pictures of every annotated scene, one JSON in ShareGPT form with its entry in dataset_info.json for
    LLaMA-Factory (with --split val one JSON per source), and counts beside the paper's 164,286. Sets with other
    pictures have other names, so all ablations may go to one folder.

        spaceland scanalign scannet:/data/scans --scanqa ScanQA_v1.0_train.json --out out/scanalign \\
            --scanrefer ScanRefer_filtered_train.json --multi3drefer multi3drefer_train.json \\
            --sqa3d questions_train.json annotations_train.json --proposals mask3d:/data/mask3d

    Args:
        scenes: Where the scenes are; object ids as in the annotation files.
        out: Folder for pictures and JSON; pictures that are there already are kept, and so are other sets.
        scanqa: ScanQA's JSON.
        sqa3d: SQA3D's questions and its annotations.
        scanrefer: ScanRefer's JSON; gives single grounding, and captions (Scan2Cap) unless --no-captions.
        multi3drefer: Multi3DRefer's JSON.
        captions: Make Scan2Cap samples from ScanRefer's descriptions.
        proposals: gt: the annotated objects themselves. mask3d:FOLDER: exports of Mask3D.
        split: train leaves out objects without a good proposal; val keeps them and writes references.
        min_iou: Least overlap of an object and its proposal (axis-aligned boxes); 0.5 gives the paper's counts, 0.75 is
            the other value in use.
        frames: Frames per scene.
        bev: The bird's-eye view as first picture.
        marks: Numbers on the pictures.
        drop: Leave out this share of the marks (0 to 1), the same objects on all pictures of a scene.
        mark_size: Diameter of marks on a frame 640 px wide; 40 by default, as in the paper.
        long_side: Longest side of a picture as the model will see it; pictures are written at that size, with marks
            that can be read there.
        templates: JSON with texts of your own for captions and grounding (docs/scanalign.md).
        wrap_captions: "sos" and "eos" around captions.
        layout: Name and shape of the turns in the training JSON.
        seed: Another seed draws other texts, situations and answers, and drops other marks.
    """
    from spaceland.errors import SourceError
    from spaceland.progress import progress_bar
    from spaceland.prompts import BevConfig, MarkConfig
    from spaceland.scanalign.annotations import read_multi3drefer, read_scanqa, read_scanrefer, read_sqa3d
    from spaceland.scanalign.build import AlignConfig, build
    from spaceland.scanalign.samples import Rules
    from spaceland.scanalign.texts import read_templates
    from spaceland.scenes.sources import open_source

    annotations = {}
    if scanqa is not None:
        annotations["scanqa"] = read_scanqa(scanqa)
    if sqa3d:
        annotations["sqa3d"] = read_sqa3d(sqa3d[0], sqa3d[1] if len(sqa3d) > 1 else None)
    if scanrefer is not None:
        annotations["scanrefer"] = read_scanrefer(scanrefer)
        if captions:
            annotations["scan2cap"] = annotations["scanrefer"]
    if multi3drefer is not None:
        annotations["multi3drefer"] = read_multi3drefer(multi3drefer)
    if not annotations:
        raise SourceError(
            "no annotations given; add --scanqa, --sqa3d, --scanrefer or --multi3drefer with their JSON files"
        )
    config = AlignConfig(
        Rules(min_iou, split == "train", wrap_captions, read_templates(templates), seed),
        MarkConfig(
            num_frames=frames,
            marks=marks,
            drop_share=drop,
            seed=seed if drop else 0,  # without dropped marks it decides nothing: the pictures stay
            mark_size_px=mark_size,
            model_long_side_px=long_side,
            bev=BevConfig() if bev else None,
        ),
        layout=layout,
    )
    source = open_source(scenes)
    total = len({row.scene for rows in annotations.values() for row in rows} & set(source.ids()))
    with progress_bar("scenes", total) as advance:
        built = build(source, annotations, out, config, _finder(proposals), advance)
    _print(built)
    return 0


def _finder(proposals: str) -> ObjectFinder | None:
    from spaceland.errors import SourceError

    if proposals == "gt":
        return None
    kind, _, folder = proposals.partition(":")
    if kind == "mask3d" and folder:
        from spaceland.objects.mask3d import Mask3dFinder

        return Mask3dFinder(Path(folder))
    raise SourceError(f"--proposals {proposals}: expected gt or mask3d:FOLDER")


def _print(built: Built) -> None:
    from rich.console import Console
    from rich.table import Table

    from spaceland.scanalign.samples import PAPER

    table = Table("source", "samples", "paper", "left out")
    for name, count in built.counts.items():
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(built.left_out[name].items()))
        table.add_row(name, f"{count:,}", f"{PAPER[name]:,}", reasons)
    table.add_row("all", f"{sum(built.counts.values()):,}", f"{sum(PAPER.values()):,}", "")
    Console().print(table)
    for scene, problem in built.broken.items():
        print(f"left out {scene}: {problem}")
    for path in built.files:
        print(f"Wrote {path}")
    print(f"Next: look at the pictures in {built.images}, then train with LLaMA-Factory (docs/scanalign.md)")
