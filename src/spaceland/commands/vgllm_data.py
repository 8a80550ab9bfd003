"""`spaceland vgllm-data`: VG LLM's training and evaluation sets, built, read and written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from spaceland.tasks3d.prompts import Task
    from spaceland.vgllmdata.build import Built, ScanJob
    from spaceland.vgllmdata.rules import Rules


def vgllm_data(
    path: tyro.conf.Positional[str],
    *,
    out: Path | None = None,
    scanrefer: Path | None = None,
    scans: str | None = None,
    boxes: Path | None = None,
    proposals: str | None = None,
    labels: Path | None = None,
    tasks: Annotated[
        tuple[Literal["grounding", "captioning", "detection"], ...], tyro.conf.arg(metavar="TASK [TASK ...]")
    ] = (),
    split: Literal["train", "val"] = "train",
    frames: int = 32,
    samples: int = 2,
    min_iou: float = 0.5,
    window_frames: int = 4,
    windows: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    cameras: bool = False,
    convention: Literal["ZXY", "zxy"] = "ZXY",
    media: Path | None = None,
    wording: Literal["vgllm", "own"] = "vgllm",
    limit: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    workers: int = 1,
    seed: int = 0,
    dry_run: bool = False,
) -> int:
    """VG LLM's sets: built from published annotations, read from its released JSON, or written from our rows.

    What PATH is decides: EmbodiedScan's info files (build), a .json or .jsonl in VG LLM's form (read it as a dataset of
    ours), or a dataset folder of ours (write it in VG LLM's form).

        spaceland vgllm-data data/embodiedscan --scanrefer ScanRefer_filtered_train.json \\
            --scans scannet:/data/scans --out out/vgllm
        spaceland vgllm-data data/embodiedscan --split val --tasks detection --out out/vgllm-val
        spaceland vgllm-data train/spar_234k.json%3 --media data/media --out out/spar
        spaceland vgllm-data out/rooms --out out/rooms-vgllm

    Args:
        path: Folder of embodiedscan_infos_<split>.pkl or one of them; a JSON file, with %3 behind it for three percent
            of its rows; or a dataset folder.
        out: Folder for the result. Building goes on where an earlier run with the same settings stopped.
        scanrefer: Build: ScanRefer's JSON of the split, for grounding and captions.
        scans: Build: scans whose vertices give the boxes of described objects.
        boxes: Build: a JSON with these boxes by scene instead (docs/vgllm_data.md).
        proposals: Build, captions of val: a JSON of boxes by scene, such as scannet_val_pred_box.json, or mask3d:FOLDER
            with --scans.
        labels: Build: scannetv2-labels.combined.tsv, to tell unique objects from multiple ones.
        tasks: Build: which sets; all that the inputs allow by default.
        split: Build: train, or val with cameras and without answers.
        frames: Build: frames of grounding and captions.
        samples: Build: rows of grounding for each description, with other frames.
        min_iou: Build: least overlap of a described object and its EmbodiedScan instance.
        window_frames: Build: frames of a detection window, a second apart; 4, or 6 in evaluation.
        windows: Build: draw at most N windows of a scan; by default all for train, 10 for val.
        cameras: Build: intrinsics and poses in training rows, too.
        convention: How angles are written in VG LLM's form; zxy is that before 27 November 2025.
        media: Read: the folder that image paths start from; images become hard links or copies.
        wording: Write: questions in VG LLM's words or in ours.
        limit: At most N scans, or N rows.
        workers: Build: processes.
        seed: Build: of frames and windows. Read: of the share.
        dry_run: Build: say what there is and what it would give, and write nothing.
    """
    from spaceland.errors import SourceError
    from spaceland.vgllmdata.released import split_share
    from spaceland.vgllmdata.rules import Rules

    file, percent = split_share(path)
    if out is None and not dry_run:
        raise SourceError("give --out FOLDER for the result, or --dry-run to see what it would be")
    if limit is not None and limit < 1:
        raise SourceError(f"--limit is {limit}; give 1 or more, or leave it out")
    source = Path(path)
    reads, writes = file.suffix in (".json", ".jsonl"), (source / "rows.jsonl").is_file()
    if (reads or writes) and (scanrefer or scans or boxes or proposals or labels or tasks):
        what = "a file of rows" if reads else "a dataset folder"
        raise SourceError(
            f"{path} is {what}: --scanrefer, --scans, --boxes, --proposals, --labels and --tasks are for building from "
            "EmbodiedScan's info files"
        )
    if reads:
        return _read(file, percent, out, media, limit, seed, convention, dry_run)
    if writes:
        return _write(source, out, wording, convention, limit, dry_run)
    rules = Rules(
        split=split,
        num_frames=frames,
        samples=samples,
        min_iou=min_iou,
        window_frames=window_frames,
        max_windows=windows,
        convention=convention,
        cameras=cameras,
        seed=seed,
    )
    return _build(source, out, (scanrefer, scans, boxes, proposals, labels), tasks, rules, limit, workers, dry_run)


def _build(
    source: Path,
    out: Path | None,
    inputs: tuple[Path | None, str | None, Path | None, str | None, Path | None],
    tasks: tuple[Task, ...],
    rules: Rules,
    limit: int | None,
    workers: int,
    dry_run: bool,
) -> int:
    from spaceland.errors import SourceError
    from spaceland.progress import progress_bar
    from spaceland.vgllmdata.build import build, list_jobs, settings_of
    from spaceland.vgllmdata.described import BoxSource, read_described
    from spaceland.vgllmdata.infos import find_infos, load_infos

    scanrefer, scans, boxes, proposals, labels = inputs
    chosen = tasks
    if not chosen:
        has_proposals = rules.split == "train" or proposals is not None or boxes is not None
        described_tasks: tuple[Task, ...] = ("grounding", "captioning") if has_proposals else ("grounding",)
        chosen = ("detection",) if scanrefer is None else (*described_tasks, "detection")
    told = [task for task in chosen if task != "detection"]
    if told and scanrefer is None:
        raise SourceError(f"{told[0]} needs descriptions; add --scanrefer ScanRefer_filtered_{rules.split}.json")
    if "captioning" in chosen and rules.split == "val" and proposals is None and boxes is None:
        raise SourceError("captions of val are about proposals; add --proposals FILE.json or mask3d:FOLDER")
    box_source = BoxSource(scans, boxes, proposals) if told else None
    if box_source is not None:
        box_source.check()
    files = find_infos(source, rules.split)
    infos = load_infos(files)
    described = read_described(scanrefer, labels) if told and scanrefer is not None else []
    jobs = list_jobs(infos, described, box_source, chosen, rules, out or Path(), limit)
    unknown = [one for one in described if one.scene not in infos.entries]
    if dry_run or out is None:
        return _print_plan(jobs, len(unknown))
    settings = settings_of(files, scanrefer if told else None, labels, box_source, chosen, rules, limit)
    with progress_bar("scans", len(jobs)) as advance:
        built = build(jobs, settings, unknown=unknown, workers=workers, progress=advance)
    _print_built(built, rules, out)
    return 1 if built.broken else 0


def _print_plan(jobs: list[ScanJob], num_unknown: int) -> int:
    """What a run would make: exact for windows, at most for the others, whose boxes are not looked at."""
    from rich.console import Console
    from rich.table import Table

    from spaceland.vgllmdata.detection import windows_of
    from spaceland.vgllmdata.infos import read_sample
    from spaceland.vgllmdata.rules import PAPER

    rules, tasks = jobs[0].rules, jobs[0].tasks
    num_windows = 0
    if "detection" in tasks:
        for job in jobs:
            numbers = [view.number for view in read_sample(job.scene, job.entry, job.names).views]
            found = len(windows_of(numbers, rules.window_frames, rules.base_interval))
            num_windows += found if rules.windows_kept is None else min(found, rules.windows_kept)
    texts = [one for job in jobs for one in job.described]
    table = Table("task", "scans", "rows", "paper")
    for task in tasks:
        if task == "detection":
            scans, rows = len(jobs), f"{num_windows:,} windows"
        else:
            scans = sum(bool(job.described) for job in jobs)
            objects = len({one.object_key for one in texts})
            per_text = rules.samples if task == "grounding" and rules.split == "train" else 1
            most = objects if task == "captioning" and rules.split == "val" else len(texts) * per_text
            rows = f"at most {most:,}"
        table.add_row(task, f"{scans:,}", rows, _paper(PAPER[task, rules.split]))
    Console().print(table)
    if num_unknown:
        print(f"{num_unknown:,} descriptions are of scans that EmbodiedScan's file does not have")
    print("Next: the same with --out FOLDER and without --dry-run")
    return 0


def _print_built(built: Built, rules: Rules, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from spaceland.vgllmdata.rules import PAPER

    table = Table("task", "made", "paper", "left out")
    for task, counts in built.counts.items():
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(built.left_out[task].items()))
        table.add_row(task, _paper(counts), _paper(PAPER[task, rules.split]), reasons)
    Console().print(table)
    for scene, problem in built.broken.items():
        print(f"left out {scene}: {problem}")
    for path in built.files:
        print(f"Wrote {path}")
    if rules.split == "train":
        print(f"Next: train on {out / 'train'} with the folder that holds scannet/posed_images as media")
    else:
        print(f"Next: spaceland evaluate or score with the rows in {out / 'evaluation'} (docs/vgllm_data.md)")


def _paper(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _read(
    file: Path,
    percent: int | None,
    out: Path | None,
    media: Path | None,
    limit: int | None,
    seed: int,
    convention: Literal["ZXY", "zxy"],
    dry_run: bool,
) -> int:
    from rich.console import Console

    from spaceland.commands.generate import _table
    from spaceland.progress import progress_bar
    from spaceland.vgllmdata.adopt import adopt_released
    from spaceland.vgllmdata.released import count_rows, read_released

    total = count_rows(file)
    expected = total if percent is None else total * percent // 100
    expected = expected if limit is None else min(expected, limit)
    if dry_run or out is None:
        kinds: dict[str, int] = {}
        for row in read_released(file, percent=percent, seed=seed, limit=limit):
            name = f"no row ({row})" if isinstance(row, str) else row.kind
            kinds[name] = kinds.get(name, 0) + 1
        print(f"{file}: {total:,} rows, {expected:,} wanted")
        for name, count in sorted(kinds.items()):
            print(f"  {count:,} {name}")
        print("Next: the same with --out FOLDER and without --dry-run")
        return 0
    with progress_bar("rows", expected) as advance:
        result = adopt_released(
            file,
            out,
            media=media,
            percent=percent,
            seed=seed,
            limit=limit,
            convention=convention,
            progress=advance,
        )
    Console().print(_table(result.tally.rows))
    for reason, count in sorted(result.tally.left_out.items()):
        print(f"left out {count:,} rows: {reason}")
    if media is None:
        print("note: without --media no image was placed; rows name them nevertheless")
    elif result.missing_images:
        print(f"note: {result.missing_images:,} images are not in {media}; rows name them nevertheless")
    if result.more_questions:
        print(f"note: several questions in {result.more_questions:,} rows; only the first of each is taken")
    other = sum(count for name, count in result.conventions.items() if name != convention)
    if other > result.conventions[convention]:
        wanted = "zxy" if convention == "ZXY" else "ZXY"
        print(
            f"note: in {other:,} rows furniture stands upright only if angles are {wanted}: add --convention {wanted}?"
        )
    print(f"{result.tally.total:,} rows: {out / 'rows.jsonl'}")
    print(f"Next: spaceland report {out}")
    return 0


def _write(
    source: Path,
    out: Path | None,
    wording: Literal["vgllm", "own"],
    convention: Literal["ZXY", "zxy"],
    limit: int | None,
    dry_run: bool,
) -> int:
    from spaceland.exchange.dataset import Dataset
    from spaceland.progress import progress_bar
    from spaceland.vgllmdata.export import TASKS, export_vgllm

    total = Dataset(source, limit).count()
    if dry_run or out is None:
        usable = sum(row["task"] in TASKS for row in Dataset(source, limit).rows())
        print(f"{source}: {usable:,} of {total:,} rows have a task of VG LLM's form")
        print("Next: the same with --out FOLDER and without --dry-run")
        return 0
    with progress_bar("rows", total) as advance:
        tally = export_vgllm(source, out, wording=wording, convention=convention, limit=limit, progress=advance)
    for task, formats in sorted(tally.rows.items()):
        print(f"{sum(formats.values()):,} rows of {task}")
    for reason, count in sorted(tally.left_out.items()):
        print(f"left out {count:,} rows: {reason}")
    print(f"Wrote {out / 'train'}; pictures are in {out / 'media'}")
    print(
        f'Next: name the files of {out / "train"} as path and {out / "media"} as media of data of kind "chat" in a '
        "configuration of spaceland train (VG LLM's own trainer calls them annotation_path and data_path)"
    )
    return 0
