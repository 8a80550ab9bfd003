"""`spaceland export`: a dataset in the format of somebody else's loader or trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro


def export(
    directory: tyro.conf.Positional[Path],
    *,
    to: Literal["spar7m", "llava", "sharegpt", "messages", "parquet", "webdataset"],
    out: Path | None = None,
    marks: Literal["drawn", "data"] = "drawn",
    name: str | None = None,
    split: Literal["train", "val"] = "train",
    limit: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    seed: int = 0,
) -> int:
    """Write a dataset in another format.

        spaceland export out/rooms --to spar7m --out out/rooms-spar
        spaceland export out/rooms --to parquet --marks data --limit 100

    Args:
        directory: Dataset folder that generate, import or mix wrote.
        to: spar7m: as SPAR-7M's loaders expect it. llava, sharegpt, messages: conversations with image files. parquet:
            with the images inside. webdataset: tar files.
        out: New folder; by default the dataset's name with the format behind it.
        marks: Drawn into the images, or as data beside them. In spar7m they are always data, since its loaders draw.
        name: Of the dataset; by default that of its folder.
        split: Of spar7m.
        limit: Only the first N rows.
        seed: Of the order of rows in spar7m's files.
    """
    from rich.console import Console

    from spaceland.commands.generate import _table
    from spaceland.exchange.dataset import Dataset
    from spaceland.exchange.export import export_dataset
    from spaceland.progress import progress_bar

    out = out or directory.with_name(f"{directory.resolve().name}-{to}")
    with progress_bar("rows", Dataset(directory, limit).count()) as advance:
        tally = export_dataset(
            directory, out, to, marks=marks, name=name, split=split, limit=limit, seed=seed, progress=advance
        )
    console = Console()
    console.print(_table(tally.rows))

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    for reason, count in sorted(tally.left_out.items()):
        say(f"left out {count} rows: {reason}")
    say(f"{tally.total} rows as {to}: {out}")
    if to == "spar7m":
        indices = sorted(path.name for path in (out / "data_jsons").glob("*.json"))
        say(f"Next: in {out}, start your loader with data_jsons/{indices[0] if indices else ''}")
    elif to == "sharegpt":
        say(f"Next: LLaMA-Factory with dataset_dir: {out} and dataset: spaceland")
    else:
        say(f"Next: datasets.load_dataset('{out}') in Python; {out / 'README.md'} names its configurations")
    return 0
