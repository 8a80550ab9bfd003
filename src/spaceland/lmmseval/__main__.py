"""`python -m spaceland.lmmseval`: the task folder for lmms-eval, and rows made ready for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro

from spaceland.errors import SpacelandError

TASKS = Path(__file__).parent / "tasks"


def path() -> int:
    """Print the folder for lmms-eval's --include_path."""
    print(TASKS)
    return 0


def prepare(
    benchmark: tyro.conf.Positional[str],
    *,
    rows: tuple[str, ...],
    fields: tuple[str, ...] = (),
    media: Path | None = None,
    blind: bool = False,
    protocol: str | None = None,
    frames: int | None = None,
    max_side: int | None = None,
    skip_missing: bool = False,
    extra: Path | None = None,
    labels: Path | None = None,
    classes: Path | None = None,
    out: Path | None = None,
) -> int:
    """Look rows and media through and remember them for lmms-eval.

        python -m spaceland.lmmseval prepare scanqa --rows ScanQA_v1.0_val.json --media frames
        python -m spaceland.lmmseval prepare scanrefer --rows val.json --extra boxes.json --labels labels.tsv --blind

    Args:
        benchmark: scanqa, sqa3d, scanrefer, multi3drefer, scan2cap or embodiedscan-det.
        rows: Where the rows are, as for spaceland evaluate: files, a folder, or hf:.
        fields: Other names of fields as OURS=THEIRS, for rows from elsewhere.
        media: Folder of videos and pictures; by default where the rows are.
        blind: Ask with the words alone, no pictures.
        protocol: Whose prompts, frames and scores; by default the benchmark's first.
        frames: Another number of frames.
        max_side: Shrink pictures to this longer side in pixels.
        skip_missing: Leave rows out whose videos or pictures are missing.
        extra: Boxes, proposals and cameras by scene, for benchmarks about boxes.
        labels: ScanNet's scannetv2-labels.combined.tsv, for ScanRefer.
        classes: Head, common and tail classes of EmbodiedScan.
        out: Where to remember; by default $SPACELAND_LMMS_EVAL, else the cache.
    """
    from spaceland.lmmseval import prepared

    given = {"extra": extra, "labels": labels, "classes": classes}
    setup = prepared.prepare(
        benchmark,
        rows,
        media,
        blind=blind,
        fields=fields,
        protocol=protocol,
        frames=frames,
        long_side_px=max_side,
        skip_missing=skip_missing,
        side_files={name: file for name, file in given.items() if file},
        into=out,
    )
    folder = out or prepared.folder()
    print(f"{setup.num_rows} rows of {benchmark}@{setup.protocol}, {len(setup.figures)} figures.")
    print(f"Wrote {folder / f'{benchmark}.json'}")
    variable = f"{prepared.VARIABLE}={folder} " if out else ""
    print(
        f"Next: {variable}python -m lmms_eval --model spaceland --model_args model=local:PATH "
        f"--tasks {prepared.task_name(benchmark)} --include_path {TASKS} --log_samples --output_path logs"
    )
    return 0


def main(arguments: list[str]) -> int:
    """The exit code of a command line."""
    commands = (
        Annotated[int, tyro.conf.subcommand(constructor=path, name="path")]
        | Annotated[int, tyro.conf.subcommand(constructor=prepare, name="prepare")]
    )
    try:
        return tyro.cli(commands, args=arguments, prog="python -m spaceland.lmmseval")
    except SpacelandError as error:
        print(f"spaceland.lmmseval: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
