"""Data sets as their authors lay them out: the same paths, fields and nested types, with generated content."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spaceland.files import encode_png
from spaceland.tasks3d.prompts import captioning_prompt

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = "---\nlicense: cc-by-4.0\ntask_categories:\n- visual-question-answering\n---\n# A data set\nlicense: none\n"
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
Rows = list[dict[str, Any]]


def png(value: int) -> bytes:
    """A small picture; no two values give the same bytes."""
    return encode_png(np.full((12, 16, 3), value % 256, np.uint8))


def cell(value: int) -> dict[str, Any]:
    """A picture as Parquet files of the `datasets` package hold it."""
    return {"bytes": png(value), "path": f"../../{value}.png"}


def lay_out(name: str, rows: Rows, folder: Path) -> None:
    """Write the data set of a benchmark.

    `rows` come from `rows_NAME.make_rows`; those of other splits beside them must not be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(CARD)
    (folder / ".gitattributes").write_text("*.zip filter=lfs\n")
    WRITERS[name](rows, folder)


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content))


def write_parquet(path: Path, rows: Rows, types: Mapping[str, pa.DataType] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {key: [row.get(key) for row in rows] for key in rows[0]}
    arrays = {key: pa.array(values, type=(types or {}).get(key)) for key, values in columns.items()}
    pq.write_table(pa.table(arrays), path, row_group_size=7)


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _vsibench(rows: Rows, folder: Path) -> None:
    """JSONL without `pruned`, the ids of pruned rows beside it, the debiased part again as Parquet, three archives."""
    bare = [{key: value for key, value in row.items() if key != "pruned"} for row in rows]
    write_jsonl(folder / "test.jsonl", bare)
    write_text(folder / "pruned_ids.txt", "".join(f"{row['id']}\n" for row in rows if row["pruned"]))
    write_parquet(folder / "test_debiased.parquet", [row for row in rows if not row["pruned"]])
    write_parquet(folder / "test_pruned.parquet", [row for row in rows if row["pruned"]])
    scenes = sorted({row["scene_name"] for row in rows})
    write_zip(folder / "scannet.zip", {f"scannet/{scene}.mp4": scene.encode() for scene in scenes})
    for other in ("arkitscenes", "scannetpp"):
        write_zip(folder / f"{other}.zip", {f"{other}/x.mp4": b"x"})


def _sparbench(rows: Rows, folder: Path) -> None:
    """Two shards; `image` is a list of pictures."""
    table = [{**row, "source": "scannet", "image": [cell(2 * k), cell(2 * k + 1)]} for k, row in enumerate(rows)]
    types = {"image": pa.list_(PICTURE)}
    half = len(table) // 2
    for shard, part in enumerate((table[:half], table[half:])):
        write_parquet(folder / f"data/test-{shard:05d}-of-00002.parquet", part, types)


def _scanrefer(rows: Rows, folder: Path) -> None:
    """VG LLM's evaluation rows, and its training rows, which are no part of it."""
    table = [
        {**row, "images": [f"scannet/posed_images/{row['scene_id']}/{k:05d}.jpg" for k in range(2)]} for row in rows
    ]
    write_json(folder / "evaluation/scanrefer/scanrefer_val_32frames.json", table)
    write_json(folder / "train/scanrefer_train_32frames.json", table[:2])


def _multi3drefer(rows: Rows, folder: Path) -> None:
    write_json(folder / "multi3drefer_train_val/multi3drefer_val.json", rows)
    write_json(folder / "multi3drefer_train_val/multi3drefer_train.json", rows[:3])


def _detection(rows: Rows, folder: Path) -> None:
    write_json(folder / "evaluation/threedod/scannet/scannet_det_val_4frames.json", rows)
    write_json(folder / "evaluation/threedod/scannet/scannet_det_val_6frames.json", rows[:5])
    write_json(folder / "train/scannet_det_train_4frames.json", rows[:2])


def _scanqa(rows: Rows, folder: Path) -> None:
    write_json(folder / "ScanQA_v1.0_val.json", rows)
    write_json(folder / "ScanQA_v1.0_train.json", rows[:3])


def _sqa3d(rows: Rows, folder: Path) -> None:
    """Questions and annotations apart, each in an object with more around the list; `val` has fewer."""
    asked = ("scene_id", "situation", "alternative_situation", "question", "question_id")
    told = ("scene_id", "question_id", "answers", "position", "rotation")
    for split, part in (("test", rows), ("val", rows[:4])):
        questions = [{key: row[key] for key in asked} for row in part]
        answers = [{"answer_type": "other", **{key: row[key] for key in told}} for row in reversed(part)]
        named = f"balanced/v1_balanced_{{}}_{split}_scannetv2.json"
        write_json(folder / named.format("questions"), {"info": {}, "license": {}, "questions": questions})
        write_json(folder / named.format("sqa_annotations"), {"info": {}, "annotations": answers})


def _scan2cap(rows: Rows, folder: Path) -> None:
    """ScanRefer's own file: one row for each description."""
    table = [
        {
            **{key: row[key] for key in ("scene_id", "object_id", "object_name")},
            "ann_id": str(k), "description": text, "token": text.split(),
        }
        for row in rows
        for k, text in enumerate(row["descriptions"])
    ]  # fmt: skip
    write_json(folder / "ScanRefer_filtered_val.json", table)
    write_json(folder / "ScanRefer_filtered_train.json", table[:2])


def _dense(rows: Rows, folder: Path) -> None:
    """The same file, and as Scan2Cap's benchmark scripts write it, with the corners of the object's box."""
    things = [{"scene_id": row["scene_id"], **thing} for row in rows for thing in row["objects"]]
    _scan2cap(things, folder)
    table = json.loads((folder / "ScanRefer_filtered_val.json").read_text())
    corners = np.array([[x, y, z] for z in (0.5, -0.5) for x in (0.5, -0.5) for y in (0.5, -0.5)])
    boxes = {(thing["scene_id"], thing["object_id"]): np.array(thing["box"]) for thing in things}
    for row in table:
        box = boxes[row["scene_id"], row["object_id"]]
        row["bbox"] = (box[:3] + corners * box[3:]).tolist()
    write_json(folder / "ScanRefer_filtered_val_gt_bbox.json", table)


def vg_llm_captions(rows: Rows) -> Rows:
    """VG LLM's evaluation rows of Scan2Cap: no id, no prompt; the object's number is in `metadata`, its scene in the
    paths of the frames, the place in the conversation, and boxes are those of the aligned room."""
    return [
        {
            "conversations": [
                {"from": "human", "value": captioning_prompt(row["center_camera"], 2)},
                {"from": "gpt", "value": row["descriptions"][0].capitalize()},
            ],
            "images": [f"scannet/posed_images/{row['scene_id']}/{k:05d}.jpg" for k in range(2)],
            "input_box": [9.0, 8.0, 7.0, 1.0, 1.0, 1.0],
            "gt_box": [9.1, 8.0, 7.0, 1.0, 1.0, 1.0],
            "iou": row["iou"],
            "annotations": row["descriptions"],
            "metadata": {"dataset": "scan2cap", "ann_id": "0", "object_id": row["object_id"]},
        }
        for row in rows
    ]


def lay_out_vg_llm_captions(rows: Rows, folder: Path) -> None:
    """The part of VG LLM's data set that is about Scan2Cap."""
    table = vg_llm_captions(rows)
    write_json(folder / "evaluation/scan2cap/scan2cap_val_32frames.json", table)
    write_json(folder / "train/scan2cap_train_32frames.json", table[:2])


def _cvbench(rows: Rows, folder: Path) -> None:
    table = [{**row, "image": cell(k)} for k, row in enumerate(rows)]
    for part in ("2D", "3D"):
        kept = [row for row in table if row["type"] == part]
        write_parquet(folder / f"test_{part.lower()}.parquet", kept, {"image": PICTURE})


def _blink(rows: Rows, folder: Path) -> None:
    """A folder a task, four picture columns of which the later ones are often empty, and a test split beside it."""
    for task in sorted({row["sub_task"] for row in rows}):
        part = [
            {**row, **{f"image_{k}": cell(10 * n + k) if k <= 1 + n % 4 else None for k in range(1, 5)}}
            for n, row in enumerate(row for row in rows if row["sub_task"] == task)
        ]
        types = {f"image_{k}": PICTURE for k in range(1, 5)}
        write_parquet(folder / task / "val-00000-of-00001.parquet", part, types)
        hidden = [{**row, "idx": row["idx"].replace("val", "test"), "answer": "hidden"} for row in part]
        write_parquet(folder / task / "test-00000-of-00001.parquet", hidden, types)


def _mmsi(rows: Rows, folder: Path) -> None:
    """`images` is a list of bare bytes."""
    table = [{**row, "images": [png(k), png(k + 100), png(k + 200)]} for k, row in enumerate(rows)]
    write_parquet(folder / "MMSI_Bench.parquet", table, {"images": pa.list_(pa.binary())})


def _mindcube(rows: Rows, folder: Path) -> None:
    """One archive with rows and pictures."""
    named = [{**row, "images": [f"other_all_image/around/g{k}/{side}.png" for side in "ab"]} for k, row in
             enumerate(rows)]  # fmt: skip
    lines = [json.dumps(row) + "\n" for row in named]
    pictures = {f"data/{name}": png(k) for k, row in enumerate(named) for name in row["images"]}
    tables = {"data/raw/MindCube.jsonl": "".join(lines), "data/raw/MindCube_tinybench.jsonl": "".join(lines[:6])}
    write_zip(folder / "data.zip", {name: text.encode() for name, text in tables.items()} | pictures)


def _viewspatial(rows: Rows, folder: Path) -> None:
    """Paths in rows begin with the data set's name, which the archives lack."""
    named = [
        {**row, "image_path": [f"ViewSpatial-Bench/scannetv2_val/scene{k}/original_images/{k}.jpg"]}
        if k % 2
        else {**row, "image_path": [f"ViewSpatial-Bench/val2017/{k:012d}.jpg"]}
        for k, row in enumerate(rows)
    ]
    write_json(folder / "ViewSpatial-Bench.json", named)
    for archive in ("scannetv2_val", "val2017"):
        inside = {
            row["image_path"][0].removeprefix("ViewSpatial-Bench/"): png(k)
            for k, row in enumerate(named)
            if f"/{archive}/" in row["image_path"][0]
        }
        write_zip(folder / f"{archive}.zip", inside)


def _site(rows: Rows, folder: Path) -> None:
    videos = [row for row in rows if row["visual"][0].endswith(".mp4")]
    pictures = [row for row in rows if not row["visual"][0].endswith(".mp4")]
    write_parquet(folder / "image_test/test-00000-of-00001.parquet", pictures)
    write_parquet(folder / "video_test/test-00000-of-00001.parquet", videos)
    names = sorted({name for row in rows for name in row["visual"]})
    for chunk in range(2):
        write_zip(folder / f"data_chunked_{chunk:02d}.zip", {n: png(k) for k, n in enumerate(names) if k % 2 == chunk})


def _sti(rows: Rows, folder: Path) -> None:
    write_parquet(folder / "qa.parquet", rows)
    write_zip(folder / "video.zip", {f"video/{name}": name.encode() for name in {row["Video"] for row in rows}})


def _openeqa(rows: Rows, folder: Path) -> None:
    write_json(folder / "data/open-eqa-v0.json", rows)
    write_json(folder / "data/metrics/some-model.json", {})


def _allangles(rows: Rows, folder: Path) -> None:
    """data.json, whose questions repeat their options; pictures as files of their own, but not all of them."""
    table = []
    for k, row in enumerate(rows):
        options = {letter: str(row[letter]) if isinstance(row[letter], str) else f"other {k}" for letter in "ABC"}
        views = [f"{'egohumans' if k % 2 else 'ego_exo4d'}/{k:02d}/View{view}.jpg" for view in (1, 2)]
        text = f"{row['question']} {', '.join(options.values())}"
        table.append({**row, **options, "question": text, "image_path": views, "folder": f"{k:02d}", "pair_idx": k})
        for view in views if k % 2 else ():
            path = folder / view
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(k))
    write_json(folder / "data.json", table)


def _threedsrbench(rows: Rows, folder: Path) -> None:
    """VLMEvalKit's tables: base64 pictures, empty cells where a question has two options."""
    for name, part in (("3dsrbench_v1_vlmevalkit_circular", rows), ("3dsrbench_v1_vlmevalkit", rows[:2])):
        with (folder / f"{name}.tsv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*part[0], "image"], delimiter="\t")
            writer.writeheader()
            for k, row in enumerate(part):
                picture = base64.b64encode(png(k) + bytes(1200)).decode()
                writer.writerow({key: "" if value == "nan" else value for key, value in row.items()} |
                                {"image": picture})  # fmt: skip


def _embspatial(rows: Rows, folder: Path) -> None:
    table = [{**row, "image": cell(k), "objects": {"bbox": [[1, 2, 3, 4]], "name": ["x"]}} for k, row in
             enumerate(rows)]  # fmt: skip
    write_parquet(folder / "data/test-00000-of-00001.parquet", table, {"image": PICTURE})


def _vstibench(rows: Rows, folder: Path) -> None:
    write_parquet(folder / "data/test-00000-of-00001.parquet", [{**row, "dataset": "scannet"} for row in rows])
    write_zip(folder / "scannet.zip", {name: name.encode() for name in {row["video_path"] for row in rows}})


WRITERS: dict[str, Callable[[Rows, Path], None]] = {
    "vsibench": _vsibench, "sparbench": _sparbench, "scanrefer": _scanrefer, "multi3drefer": _multi3drefer,
    "embodiedscan-det": _detection, "scanqa": _scanqa, "sqa3d": _sqa3d, "sqa3d-place": _sqa3d, "scan2cap": _scan2cap,
    "scan2cap-dense": _dense,
    "cvbench": _cvbench, "blink": _blink, "mmsi": _mmsi, "mindcube": _mindcube, "viewspatial": _viewspatial,
    "site": _site, "sti": _sti, "openeqa": _openeqa, "allangles": _allangles, "3dsrbench": _threedsrbench,
    "embspatial": _embspatial, "vstibench": _vstibench, "gptscore": _scanqa,
}  # fmt: skip


def as_cached(folder: Path, repo: str, cache: Path, branch: str = "main") -> None:
    """Put a data set into a cache of huggingface_hub as its own downloads leave it: blobs, refs, links."""
    home = cache / f"datasets--{repo.replace('/', '--')}"
    write_text(home / "refs" / branch, COMMIT)
    (home / "blobs").mkdir(exist_ok=True)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        blob = home / "blobs" / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        link = home / "snapshots" / COMMIT / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        up = "/".join([".."] * (len(link.relative_to(home).parts) - 1))
        link.symlink_to(f"{up}/blobs/{blob.name}")
