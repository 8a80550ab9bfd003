"""ScanAlign as files: pictures of every scene, one JSON for training or one per source for evaluation, and the counts.

    out/images/32_images_3D_mark/scene0000_00/bev.png, frames/000000.jpg, ..., objects.json
    out/sharegpt_data_scanalign_32_images_3D_mark.json      training: messages and images, as LLaMA-Factory reads them
    out/dataset_info.json                                   the entries of all training sets for LLaMA-Factory
    out/scanqa_val_32_images_3D_mark.json, ...              evaluation: prompts and references, as Chat-Scene has them
    out/counts.json                                         of each set: samples beside the paper's, what was left out

Sets with other pictures have other names (see `naming`) and stay as they are. A scene whose pictures are there already,
made with the same settings, is not rendered again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from spaceland.errors import OutputError, SceneError, SourceError
from spaceland.files import read_json, write_json
from spaceland.objects.attach import with_objects
from spaceland.objects.types import ObjectFinder
from spaceland.prompts import MarkConfig, mark_scene
from spaceland.prompts.selection import mark_numbers, markable_objects
from spaceland.reconstruct.stages import run_stage
from spaceland.scanalign.annotations import Annotation
from spaceland.scanalign.naming import setting_name
from spaceland.scanalign.proposals import Overlaps
from spaceland.scanalign.samples import PAPER, Rules, Sample, make_samples
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import Source

Layout = Literal["messages", "conversations"]


@dataclass(frozen=True)
class AlignConfig:
    """What the set looks like; `mark` decides about the bird's-eye view, which comes before the frames."""

    rules: Rules = field(default_factory=Rules)
    mark: MarkConfig = field(default_factory=lambda: MarkConfig(num_frames=32))
    layout: Layout = "messages"
    max_proposals: int = 100


@dataclass(frozen=True)
class Built:
    """Files written, the folder of the pictures, samples per source, and what gave none: source -> reason -> count."""

    files: tuple[Path, ...]
    images: Path
    counts: Mapping[str, int]
    left_out: Mapping[str, Mapping[str, int]]
    broken: Mapping[str, str]


def build(
    source: Source,
    annotations: Mapping[str, Sequence[Annotation]],
    out: Path,
    config: AlignConfig,
    finder: ObjectFinder | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> Built:
    """Make the set.

    Args:
        source: Scenes with their annotated objects, ids as in the annotation files.
        annotations: Rows of each source, by its name in `samples.SOURCES`.
        out: Folder for all files; sets with other pictures that are there stay.
        config: Rules and looks.
        finder: Gives the proposals; None: the annotated objects are their own proposals.
        progress: Called as progress(1, scene id) after each scene.

    Raises:
        SourceError: none of the annotated scenes is in the source.
        OutputError: the folder cannot be written, or a file that lists its sets is damaged.
    """
    wanted = {row.scene for rows in annotations.values() for row in rows}
    scenes = [scene_id for scene_id in source.ids() if scene_id in wanted]
    if not scenes:
        raise SourceError(
            f"none of the {len(wanted)} annotated scenes ({', '.join(sorted(wanted)[:3])}, ...) is in the source, "
            f"which has {', '.join(list(source.ids())[:3]) or 'no scenes'}"
        )
    setting = setting_name(config.mark, None if finder is None else finder.name)
    images = Path("images") / setting
    overlaps: dict[str, Overlaps] = {}
    pictures: dict[str, list[str]] = {}
    broken: dict[str, str] = {}
    for scene_id in scenes:
        try:
            overlaps[scene_id], names = _scene(source.open(scene_id), out / images, config, finder)
            pictures[scene_id] = [(images / scene_id / name).as_posix() for name in names]
        except SceneError as error:
            broken[scene_id] = str(error)
        if progress:
            progress(1, scene_id)
    samples: list[Sample] = []
    left_out: dict[str, Counter[str]] = {}
    for name, rows in annotations.items():
        left_out[name] = Counter()
        samples += make_samples(name, rows, overlaps, config.rules, left_out[name])
    files = _write(samples, pictures, out, setting, config)
    counts = {name: sum(sample.source == name for sample in samples) for name in annotations}
    told = {
        "samples": counts,
        "paper": {name: PAPER[name] for name in annotations},
        "left_out": {name: dict(sorted(reasons.items())) for name, reasons in left_out.items()},
        "scenes": len(overlaps),
        "broken_scenes": broken,
    }
    _add_entry(out / "counts.json", f"{'train' if config.rules.training else 'val'}_{setting}", told)
    return Built((*files, out / "counts.json"), out / images, counts, left_out, broken)


def _scene(scene: Scene, images: Path, config: AlignConfig, finder: ObjectFinder | None) -> tuple[Overlaps, list[str]]:
    """How a scene's objects and proposals overlap, and its pictures, made where they are not there yet."""
    shown = scene
    if finder is not None:
        found = finder.find(scene)
        shown = with_objects(scene, replace(found, objects=found.objects[: config.max_proposals]))
    numbers = mark_numbers(markable_objects(shown, config.mark.labels, config.mark.room_labels))
    overlaps = Overlaps.of(scene.objects, {n: shown.objects_by_id[k].aabb for k, n in numbers.items()})

    def make(folder: Path) -> dict[str, Any]:
        mark_scene(shown, folder, config.mark)
        return {"proposals": "annotated objects" if finder is None else finder.name, "numbers": len(numbers)}

    settings = {
        "mark": asdict(config.mark),
        "finder": None if finder is None else finder.name,
        "content": _content_key(shown, numbers),
    }
    stage = run_stage(images, scene.id, settings, (), make)
    record = read_json(stage.folder / "objects.json")
    names = [entry["image"] for entry in record["frames"]]
    if config.mark.bev is not None:
        names.insert(0, "bev.png")
    return overlaps, names


def _content_key(scene: Scene, numbers: Mapping[int, int]) -> str:
    """Changes when other objects carry the numbers, or frames do: kept pictures must show what the texts name."""
    state = hashlib.blake2b(digest_size=12)
    for frame in scene.frames:
        state.update(frame.id.encode() + frame.T_world_cam.tobytes())
    for object_id, number in numbers.items():
        box = scene.objects_by_id[object_id].aabb
        state.update(repr(number).encode() + box.minimum.tobytes() + box.maximum.tobytes())
    return state.hexdigest()


def _write(
    samples: Sequence[Sample], pictures: Mapping[str, list[str]], out: Path, setting: str, config: AlignConfig
) -> list[Path]:
    if not config.rules.training:
        names = sorted({sample.source for sample in samples})
        paths = [out / f"{name}_val_{setting}.json" for name in names]
        for name, path in zip(names, paths, strict=True):
            chosen = [sample for sample in samples if sample.source == name]
            write_json(path, [_val_row(k, sample, pictures) for k, sample in enumerate(chosen)])
        return paths
    stem = f"sharegpt_data_scanalign_{setting}"
    rows = [_train_row(sample, pictures[sample.scene], config.layout) for sample in samples]
    write_json(out / f"{stem}.json", rows, indent=None)
    _add_entry(out / "dataset_info.json", stem, _dataset_info(f"{stem}.json", config.layout))
    return [out / f"{stem}.json", out / "dataset_info.json"]


def _add_entry(path: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Put an entry into a file that has one for each set; sorted, so that the order of runs does not matter."""
    known = read_json(path) if path.exists() else {}
    if not isinstance(known, dict):
        raise OutputError(f"{path} is no JSON object by names of sets; move it away or choose another --out")
    write_json(path, dict(sorted({**known, name: entry}.items())))


def _train_row(sample: Sample, images: Sequence[str], layout: Layout) -> dict[str, Any]:
    """One conversation: as many <image> as there are pictures, then the question."""
    turns = (("user", "<image>" * len(images) + sample.question), ("assistant", sample.answer))
    if layout == "messages":
        talk: list[dict[str, str]] = [{"role": role, "content": text} for role, text in turns]
    else:
        talk = [{"from": "human" if role == "user" else "gpt", "value": text} for role, text in turns]
    return {"id": f"{sample.source}-{sample.id}", layout: talk, "images": list(images)}


def _val_row(qid: int, sample: Sample, pictures: Mapping[str, list[str]]) -> dict[str, Any]:
    """A question with its references; `qid` is distinct, since readers that resume depend on it."""
    kinds = {"sqa3d": "sqa_type", "multi3drefer": "eval_type"}
    row: dict[str, Any] = {
        "qid": qid,
        "id": sample.id,
        "scene_id": sample.scene,
        "obj_id": sample.object_ids[0] if len(sample.object_ids) == 1 else list(sample.object_ids),
        "pred_id": sample.numbers[0] if len(sample.numbers) == 1 else list(sample.numbers),
        "prompt": sample.question,
        "ref_captions": list(sample.references),
        "images": pictures[sample.scene],
    }
    if sample.source in kinds:
        row[kinds[sample.source]] = sample.kind
    if sample.iou is not None:
        row["iou"] = round(sample.iou, 6)
    return row


def _dataset_info(file: str, layout: Layout) -> dict[str, Any]:
    """LLaMA-Factory's description of the file."""
    info: dict[str, Any] = {
        "file_name": file,
        "formatting": "sharegpt",
        "columns": {"messages": layout, "images": "images"},
    }
    if layout == "messages":
        info["tags"] = {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
        }
    return info
