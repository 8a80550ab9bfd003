"""`spaceland mix`: a weighted training mixture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def mix(
    datasets: tyro.conf.Positional[tuple[str, ...]],
    *,
    out: Path = Path("out/mix"),
    weight: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=NUMBER [NAME=NUMBER ...]")] = (),
    rows: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    seed: int = 0,
) -> int:
    """Write a weighted mixture of datasets.

    A row's weight is the product of all weights that match its source, task or format: 2 takes every row twice, 0.1
    takes a tenth at random.

        spaceland mix out/rooms out/scans --out out/mix --weight sentence=1 select=0.1 fill=0.1 scans=2
        spaceland mix a=out/rooms b=out/old/rooms --weight 'b/depth_*/*=0' --rows 10000

    Args:
        datasets: Dataset folders, or NAME=FOLDER to name them.
        out: New folder for the mixture.
        weight: Weights by the name of a source, task or format, or by SOURCE/TASK/FORMAT; * stands for anything.
        rows: Scale all weights so that the mixture has N rows.
        seed: Of what is taken, and of the order.
    """
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from spaceland.exchange.mix import Mixture, named_sources
    from spaceland.progress import progress_bar

    sources = named_sources(datasets)
    mixture = Mixture(sources, weight, total=rows, seed=seed)
    with progress_bar("rows", mixture.num_rows) as advance:
        mixture.write(out, advance)
    table = Table("source", Column("task", no_wrap=True), "format", "available", "weight", "taken")
    for part in mixture.parts:
        names = (Text(part.source), Text(part.task), Text(part.format))
        table.add_row(*names, str(part.available), f"{part.weight:g}", str(part.taken))
    console = Console()
    console.print(table)

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    say(f"{mixture.num_rows} rows from {len(sources)} datasets: {out / 'rows.jsonl'}")
    say(f"Next: spaceland export {out} --to messages")
    return 0
