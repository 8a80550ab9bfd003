"""Figures of several protocols in one terminal, however many there are.

Few protocols that fit side by side are columns. More than that are rows, and their figures columns, in as many blocks
as the width asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_FIGURE = 7
_FRAME = 3
_LONGEST_WORD = 13


def print_side_by_side(
    console: Console,
    figures: Mapping[str, Mapping[str, float | None]],
    parts: Sequence[Sequence[str]],
    counts: Mapping[str, int],
) -> None:
    """Print figures by protocol.

    Args:
        console: Its width counts.
        figures: By protocol, then by name; a protocol may lack some.
        parts: Names in order, in groups that a line keeps apart; the last one stands out.
        counts: Rows behind a name, where known.
    """
    names = [name for part in parts for name in part]
    first = max((len(name) for name in (*names, "task")), default=4)
    columns = [max(len(protocol), _FIGURE) + _FRAME for protocol in figures]
    if first + _FRAME + 8 + sum(columns) + 1 <= console.width:
        _as_columns(console, figures, parts, counts)
    else:
        _as_rows(console, figures, names, counts)


def _as_columns(
    console: Console,
    figures: Mapping[str, Mapping[str, float | None]],
    parts: Sequence[Sequence[str]],
    counts: Mapping[str, int],
) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("task", "rows", *figures)
    last = parts[-1][-1]
    for part in parts:
        for name in part:
            values = [_text(found.get(name)) for found in figures.values()]
            style = "bold" if name == last else None
            table.add_row(escape(name), str(counts.get(name, "")), *values, style=style)
        table.add_section()
    console.print(table)


def _as_rows(
    console: Console,
    figures: Mapping[str, Mapping[str, float | None]],
    names: Sequence[str],
    counts: Mapping[str, int],
) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    label = max(len(protocol) for protocol in (*figures, "protocol"))
    # What all protocols are compared by comes first.
    shown = [
        name for name in (names[-1], *names[:-1]) if any(found.get(name) is not None for found in figures.values())
    ]
    for block in _blocks(shown, console.width - label - _FRAME - 1):
        table = Table("protocol", *(_heading(name) for name in block), box=box.SIMPLE_HEAD, pad_edge=False)
        for protocol, found in figures.items():
            values = [_text(found.get(name)) for name in block]
            if any(values):
                table.add_row(escape(protocol), *values)
        if any(name in counts for name in block):
            table.add_section()
            table.add_row("rows", *(str(counts.get(name, "")) for name in block), style="dim")
        console.print(table)


def _blocks(names: Sequence[str], room: int) -> list[list[str]]:
    """Names in runs that fit into so many characters."""
    blocks: list[list[str]] = []
    left = 0
    for name in names:
        width = max(_FIGURE, *map(len, _heading(name).split("\n"))) + _FRAME
        if not blocks or width > left:
            blocks.append([])
            left = room
        blocks[-1].append(name)
        left -= width
    return blocks


def _heading(name: str) -> str:
    """A name in short lines.

    >>> _heading("object_size_estimation"), _heading("unique not_in_others acc@0.5"), _heading("EM")
    ('object_size_\\nestimation', 'unique\\nnot_in_others\\nacc@0.5', 'EM')
    """
    lines: list[str] = []
    for word in name.split(" "):
        pieces = [word] if len(word) <= _LONGEST_WORD else word.replace("_", "_ ").split(" ")
        for piece, joint in zip(pieces, [" "] + [""] * len(pieces), strict=False):
            if lines and len(lines[-1]) + len(joint) + len(piece) <= _LONGEST_WORD:
                lines[-1] += joint + piece
            else:
                lines.append(piece)
    return "\n".join(lines)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
