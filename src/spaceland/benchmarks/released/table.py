"""What is known of the released files of every benchmark: Hugging Face ids, files, parts, archives, names of fields.

`files` and `parts` hold alternatives, best first; an alternative is one or more patterns of paths in the data set
(`*` crosses folders), and the first of which anything exists is read, so a data set that holds the same rows as JSONL
and as Parquet is read once. `ARCHIVE.zip!MEMBER` is a table inside of an archive. Where a field is known by other names
as well (in copies for other harnesses), `fields` lists them; `--fields OURS=THEIRS` adds to that.

What our sources do not say (file names of data sets that nobody here could open, mostly) is marked "guess"; a pattern
after "#" takes its place: `hf:#data/test-*.parquet`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spaceland.benchmarks.released import fitting
from spaceland.benchmarks.types import Row

Alternatives = tuple[tuple[str, ...], ...]
Fit = Callable[[list[dict[str, Any]], Path | None], list[dict[str, Any]]]

_TEST: Alternatives = (
    ("data/test-*.parquet",), ("*test-0*.parquet",), ("*test*.parquet",), ("*test*.jsonl",), ("*test*.json",),
    ("*.parquet",),
)  # fmt: skip
"""The usual places of a split "test"."""


@dataclass(frozen=True, kw_only=True)
class Released:
    """One benchmark's files.

    Args:
        repo: Hugging Face data set that `hf:` means; None where there is none.
        where: Where the files come from, for who has none of them.
        files: What is read without "#PART".
        parts: What "#PART" reads, by name.
        archives: Archives of pictures and videos in the data set, as patterns.
        others: Further data sets of the same rows, and what they are.
        fields: Names that one of our fields has elsewhere.
        fit: Makes rows of records; given the folder of the first file where there is one.
        media: Paths of a row's pictures or video as the released archives have them, in order.
    """

    where: str
    files: Alternatives
    repo: str | None = None
    parts: Mapping[str, Alternatives] = field(default_factory=dict)
    archives: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fit: Fit | None = None
    media: Callable[[Row], Sequence[str]] = fitting.no_media


_SCANNET = "ScanNet itself (http://www.scan-net.org, on request)"
_VG_LLM = "zd11024/VG-LLM-Data"
_SCANQA = Released(
    where="https://github.com/ATR-DBI/ScanQA (ScanQA_v1.0_val.json); mirrors on the hub are by others",
    files=(("*ScanQA*val*.json",), ("*val*.json",), ("*val*.parquet",)),
    media=fitting.no_media,
)
_SQA3D = Released(
    where="https://zenodo.org/records/7792397 (sqa_task.zip: questions and annotations, two files a split)",
    files=(("*questions_test*.json", "*annotations_test*.json"),),
    parts={
        split: ((f"*questions_{split}*.json", f"*annotations_{split}*.json"),) for split in ("test", "val", "train")
    },
)

RELEASED: Mapping[str, Released] = {
    "vsibench": Released(
        repo="nyu-visionx/VSI-Bench",
        where="https://huggingface.co/datasets/nyu-visionx/VSI-Bench",
        files=(("test.jsonl",), *_TEST),
        parts={
            "debiased": (("test_debiased.parquet",), ("*debiased*",)),
            "pruned": (("test_pruned.parquet",), ("*pruned*.parquet",)),
        },
        archives=("arkitscenes.zip", "scannet.zip", "scannetpp.zip"),
        fit=fitting.with_pruned,
        media=fitting.vsi_video,
    ),
    "sparbench": Released(
        repo="jasonzhango/SPAR-Bench",
        where="https://huggingface.co/datasets/jasonzhango/SPAR-Bench",
        files=_TEST,
        others={
            "jasonzhango/SPAR-Bench-Tiny": "1,000 rows",
            "jasonzhango/SPAR-Bench-RGBD": "with depth maps",
            "jasonzhango/SPAR-Bench-Tiny-RGBD": "1,000 rows with depth maps",
        },
    ),
    "scanrefer": Released(
        repo=_VG_LLM,
        where="https://github.com/daveredrum/ScanRefer (on request: ScanRefer_filtered_val.json); on the hub VG LLM's "
        "rows with boxes and poses; pictures are those of ScanNet",
        files=(
            ("*ScanRefer_filtered_val.json",), ("evaluation/scanrefer/*32frames*.json",),
            ("evaluation/scanrefer/*val*.json",), ("evaluation/scanrefer/*.json",), ("*scanrefer*val*.json",),
        ),
        parts={"24frames": (("evaluation/scanrefer/*24frames*.json",),)},
        media=fitting.row_images,
    ),
    "multi3drefer": Released(
        where="https://aspis.cmpt.sfu.ca/projects/multi3drefer (multi3drefer_train_val.zip: multi3drefer_val.json)",
        files=(("*multi3drefer_val.json",), ("*multi3drefer*val*.json",)),
    ),
    "embodiedscan-det": Released(
        repo=_VG_LLM,
        where=f"https://huggingface.co/datasets/{_VG_LLM} (evaluation/threedod); pictures are those of ScanNet",
        files=(("evaluation/threedod/*val_4frames.json",), ("*det_val_4frames.json",), ("*val_4frames*",)),
        parts={
            "4frames": (("*val_4frames.json",), ("*4frames*",)),
            "6frames": (("*val_6frames.json",), ("*6frames*",)),
        },
        media=fitting.row_images,
    ),
    "scanqa": _SCANQA,
    "gptscore": _SCANQA,
    "sqa3d": _SQA3D,
    "sqa3d-place": _SQA3D,
    "scan2cap": Released(
        repo=_VG_LLM,
        where="ScanRefer's rows (on request: ScanRefer_filtered_val.json), grouped by object; on the hub VG LLM's rows",
        files=(
            ("*ScanRefer_filtered_val.json",), ("evaluation/scan2cap/*val*.json",), ("evaluation/scan2cap/*.json",),
            ("*scan2cap*val*.json",),
        ),
        fit=fitting.captioned_objects,
        media=fitting.row_images,
    ),
    "scan2cap-dense": Released(
        where="https://github.com/daveredrum/ScanRefer (on request: ScanRefer_filtered_val.json), grouped by scene; "
        "with the boxes that Scan2Cap's scripts/build_benchmark_gt.py adds",
        files=(("*ScanRefer_filtered_val_gt_bbox.json",), ("*ScanRefer_filtered_val.json",)),
        fit=fitting.described_scenes,
    ),
    "cvbench": Released(
        repo="nyu-visionx/CV-Bench",
        where="https://huggingface.co/datasets/nyu-visionx/CV-Bench",
        files=(("test_2d.parquet", "test_3d.parquet"), *_TEST),
        parts={"2d": (("test_2d.parquet",),), "3d": (("test_3d.parquet",),)},
        fields={"prompt": ("formatted_prompt",)},
    ),
    "blink": Released(
        repo="BLINK-Benchmark/BLINK",
        where="https://huggingface.co/datasets/BLINK-Benchmark/BLINK (a folder for each of 14 tasks)",
        files=(("*/val-*.parquet",), ("*val*.parquet",), ("*val*.jsonl",)),
        parts={"test": (("*/test-*.parquet",), ("*test*.parquet",))},
    ),
    "mmsi": Released(
        repo="RunsenXu/MMSI-Bench",
        where="https://huggingface.co/datasets/RunsenXu/MMSI-Bench",
        files=(("MMSI_Bench.parquet",), ("*.parquet",), ("MMSI_Bench.tsv",), ("*.tsv",)),
        fields={"images": ("image",), "id": ("index",), "question_type": ("category",)},
    ),
    "mindcube": Released(
        repo="MLL-Lab/MindCube",
        where="https://huggingface.co/datasets/MLL-Lab/MindCube (data.zip)",
        files=(
            ("*raw/MindCube.jsonl",), ("MindCube.jsonl",), ("data.zip!*raw/MindCube.jsonl",), *_TEST,
        ),
        parts={
            "tiny": (
                ("*MindCube_tinybench.jsonl",), ("data.zip!*MindCube_tinybench.jsonl",), ("*tiny*",),
            ),
        },
        archives=("data.zip",),
        others={"oscarqjh/MindCube_lmmseval": "lmms-eval's copy"},
        fields={"gt_answer": ("answer", "grounded_output"), "images": ("image", "image_path")},
        media=fitting.row_images,
    ),
    "viewspatial": Released(
        repo="lidingm/ViewSpatial-Bench",
        where="https://huggingface.co/datasets/lidingm/ViewSpatial-Bench",
        files=(("ViewSpatial-Bench.json",), ("ViewSpatialBench.tsv",), *_TEST),
        archives=("scannetv2_val.zip", "val2017.zip"),
        others={"oscarqjh/ViewSpatial_lmmseval": "lmms-eval's copy"},
        fields={"choices": ("candidates", "options")},
        media=fitting.row_images,
    ),
    "site": Released(
        repo="franky-veteran/SITE-Bench",
        where="https://huggingface.co/datasets/franky-veteran/SITE-Bench (configurations image_test and video_test)",
        files=(
            ("*image_test*.parquet", "*video_test*.parquet"), ("*image_test*.json*", "*video_test*.json*"),
            ("SiteBenchImage.tsv", "SiteBenchVideo.tsv"), *_TEST,
        ),
        parts={"image": (("*image_test*",),), "video": (("*video_test*",),)},
        archives=("data_chunked_*.zip",),
        fields={"options": ("candidates",), "visual": ("image_path", "video_path", "images", "video")},
        fit=fitting.site_visuals,
        media=fitting.row_images,
    ),
    "sti": Released(
        repo="MINT-SJTU/STI-Bench",
        where="https://huggingface.co/datasets/MINT-SJTU/STI-Bench",
        files=(("qa.parquet",), *_TEST),
        archives=("video.zip",),
        media=fitting.named_video,
    ),
    "openeqa": Released(
        where="https://github.com/facebookresearch/open-eqa (data/open-eqa-v0.json); pictures: HM3D episodes by the "
        f"scripts there, ScanNet from {_SCANNET}",
        files=(("*open-eqa-v0.json",), ("*open*eqa*v0.json",)),
        fit=fitting.episodes,
    ),
    "allangles": Released(
        repo="ch-chenyu/All-Angles-Bench",
        where="https://huggingface.co/datasets/ch-chenyu/All-Angles-Bench (pictures of Ego-Exo4D: on request there)",
        files=(("*All_Angles_Bench*.tsv",), ("data.json",), ("*.tsv",)),
        archives=("*.zip",),
        fit=fitting.bare_questions,
        media=fitting.row_images,
    ),
    "3dsrbench": Released(
        repo="ccvl/3DSRBench",
        where="https://huggingface.co/datasets/ccvl/3DSRBench",
        files=(("3dsrbench_v1_vlmevalkit_circular.tsv",), ("3dsrbench_v1_vlmevalkit.tsv",), *_TEST),
        parts={"plain": (("3dsrbench_v1_vlmevalkit.tsv",), ("3dsrbench_v1*.parquet",))},
        others={"oscarqjh/3DSRBench_lmmseval": "lmms-eval's copy"},
    ),
    "embspatial": Released(
        repo="FlagEval/EmbSpatial-Bench",
        where="https://huggingface.co/datasets/FlagEval/EmbSpatial-Bench",
        files=(*_TEST, ("embspatial_bench.json",), ("*.tsv",)),
        fields={"question_id": ("id", "index"), "answer_options": ("options",)},
    ),
    "vstibench": Released(
        repo="Journey9ni/vstibench",
        where="https://huggingface.co/datasets/Journey9ni/vstibench",
        files=_TEST,
        archives=("*.zip",),
        media=fitting.vsi_video,
    ),
}  # fmt: skip
"""By benchmark. Of the file names those of site and vstibench on the hub are guesses."""
