"""The learning experiment: data, the tiny trunk, all runs, and the table of what is there.

    python -m bench.learning                                       the small one, on a processor
    python -m bench.learning bench/learning/full.toml --dry-run    what the full matrix would take
    python -m bench.learning --part validation --arms oracle none --seeds 0     to choose a setting by
    python -m bench.learning --table

Runs that are done are not done again; two processes may share a folder if they are given different arms or seeds.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections import defaultdict
from datetime import date
from pathlib import Path

from bench.learning.config import TRUNK, Cell, Experiment, cells_of, data_name, data_spec, read_experiment

from spaceland.errors import TrainingError
from spaceland.files import read_json, write_json, write_text

BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"
"""Lines of a page between which `--write` puts the tables."""


def main(argv: list[str] | None = None) -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.learning", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", nargs="?", type=Path, default=Path(__file__).with_name("small.toml"))
    parser.add_argument("--out", type=Path, default=Path("out/learning"))
    parser.add_argument("--part", choices=("validation", "test"), default="test", help="rooms that are asked about")
    parser.add_argument("--arms", nargs="+", help="only these")
    parser.add_argument("--seeds", nargs="+", type=int, help="only these")
    parser.add_argument("--workers", type=int, default=2, help="processes that make data")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--only", choices=("data", "trunk"), help="stop after this")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--table", action="store_true", help="only the table of the runs that are done")
    parser.add_argument("--write", type=Path, help="put the tables between the marks of this page, too")
    args = parser.parse_args(argv)
    experiment = read_experiment(args.config)
    cells = [
        cell
        for cell in cells_of(experiment)
        if (args.arms is None or cell.arm.name in args.arms) and (args.seeds is None or cell.seed in args.seeds)
    ]
    if not cells:
        parser.error("no run has such an arm and seed")
    if args.dry_run:
        dry_run(experiment, cells, args.part)
        return 0
    # What oracle and trunk need of the rooms is kept beside the runs.
    os.environ.setdefault("SPACELAND_CACHE", str((args.out / "cache").resolve()))
    import torch
    from bench.learning.runs import make_all_data, make_trunk, run_cell

    torch.set_num_threads(args.threads)
    if not args.table:
        make_all_data(experiment, cells, args.out, args.part, args.workers)
        if args.only == "data":
            return 0
        if experiment.trunk is not None and any(TRUNK in cell.arm.encoder for cell in cells):
            print(make_trunk(experiment, args.out, args.part)["held_out"])
        if args.only == "trunk":
            return 0
        for cell in cells:
            print(f"== {cell.name}", flush=True)
            run_cell(experiment, cell, args.out, args.part)
    made = tables(experiment, args.out, args.part)
    print(made)
    if args.write is not None:
        page = args.write.read_text("utf-8")
        before, _, rest = page.partition(BEGIN)
        _, found, after = rest.partition(END)
        if not found:
            raise TrainingError(f"{args.write} has no lines '{BEGIN}' and '{END}' for the tables")
        write_text(args.write, f"{before}{BEGIN}\n\n{made}\n{END}{after}")
    return 0


def dry_run(experiment: Experiment, cells: list[Cell], part: str) -> None:
    """Counts, without making anything."""
    print(experiment.about)
    folders = {
        data_name(which, cell): data_spec(experiment, which, cell) for cell in cells for which in ("train", part)
    }
    for name, spec in folders.items():
        print(f"data {name}: {spec.source}, {spec.clips} clips of a room")
    steps, batch = experiment.stage.get("max_steps"), experiment.stage.get("batch")
    print(f"{len(cells)} runs of {steps} steps of {batch} clips:")
    for cell in cells:
        print(f"  {cell.name}: {cell.arm.encoder}")


def tables(experiment: Experiment, out: Path, part: str) -> str:
    """Tables of all runs that are done, one pair for each cell of the matrix but for arm and seed; written, too."""
    import torch
    import transformers
    from bench.learning.runs import finished, frequency, held_out_samples
    from bench.learning.table import figures, markdown, trunk_markdown

    runs = defaultdict(list)
    for run in finished(out, part):
        cell = run["cell"]
        runs[cell["marks"], cell["bev"], cell["rooms"]].append(run)
    text = [f"{date.today()}, {platform.machine()}, torch {torch.__version__}, transformers {transformers.__version__}"]
    found = {}
    for key in sorted(runs):
        marks, bev, rooms = key
        cell = Cell(arm=experiment.arms[0], marks=marks, bev=bev, rooms=rooms, seed=0)
        samples = held_out_samples(out / "data", data_name(part, cell), blind=True)
        clips: dict[str, list[int]] = {}
        numbers: dict[str, int] = {}
        for sample in samples:
            clip = sample.id.rpartition("-")[0]
            clips.setdefault(str((sample.reference or {})["task"]), []).append(numbers.setdefault(clip, len(numbers)))
        entries = figures(runs[key], frequency(samples), clips)
        name = f"{rooms} rooms, {'with' if marks else 'without'} marks, {'with' if bev else 'without'} bird's-eye view"
        found[name] = entries
        cpu = sum(run["train_cpu_s"] + run["answer_cpu_s"] for run in runs[key])
        text += [
            f"\n{name}: {len(runs[key])} runs, {len(samples)} questions about {len(numbers)} clips, "
            f"{cpu / 60:.0f} minutes of processor time\n",
            markdown(entries, [arm.name for arm in experiment.arms]),
        ]
    report = out / "trunk" / "report.json"
    if report.is_file():
        text.append(trunk_markdown(read_json(report)))
    write_json(out / f"table-{part}.json", found)
    write_text(out / f"table-{part}.md", "\n".join(text))
    return "\n".join(text)


if __name__ == "__main__":
    raise SystemExit(main())
