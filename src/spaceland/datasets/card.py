"""The dataset card: a README.md whose head tells Hugging Face `datasets` which files belong together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from spaceland.version import __version__

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def size_category(rows: int) -> str:
    """Hugging Face's word for a number of rows.

    >>> size_category(165), size_category(7_821_248)
    ('n<1K', '1M<n<10M')
    """
    return next((name for limit, name in _SIZES if rows < limit), "n>10M")


def dataset_card(
    *,
    title: str,
    text: Sequence[str],
    rows: Mapping[str, Mapping[str, int]],
    configs: Mapping[str, Sequence[str]],
    sources: Sequence[str] = (),
    split: str = "train",
) -> str:
    """The text of README.md.

    Args:
        title: Name of the dataset.
        text: Paragraphs (Markdown).
        rows: Number of rows by task and format.
        configs: Files of each configuration, relative to the card; patterns are allowed.
        sources: Where the scenes come from.
        split: Name of the split that all files make up.
    """
    head: list[str] = [
        "---",
        f"pretty_name: {_quoted(title)}",
        "language:",
        "- en",
        "task_categories:",
        "- visual-question-answering",
        "tags:",
        "- spatial-reasoning",
        "- 3d",
        "- spaceland",
        "size_categories:",
        f"- {size_category(sum(sum(counts.values()) for counts in rows.values()))}",
    ]
    if configs:
        head.append("configs:")
        for name, files in configs.items():
            head += [f"- config_name: {_quoted(name)}", "  data_files:", f"  - split: {split}", "    path:"]
            head += [f"    - {_quoted(file)}" for file in files]
    formats = sorted({name for counts in rows.values() for name in counts})
    body = [f"# {_plain(title)}", *text]
    if sources:
        body.append("Scenes: " + ", ".join(f"`{_plain(source)}`" for source in sources) + ".")
    body.append(f"Made by spaceland {__version__}. Images belong to the source of the scenes and keep its terms.")
    table = [f"| task | {' | '.join(formats)} | rows |", "|---|" + "--:|" * (len(formats) + 1)]
    for task, counts in rows.items():
        cells = [str(counts.get(name, "")) for name in formats]
        table.append(f"| `{_plain(task)}` | {' | '.join(cells)} | {sum(counts.values())} |")
    return "\n".join(head) + "\n---\n\n" + "\n\n".join([*body, "\n".join(table)] if rows else body) + "\n"


def source_names(info: Any) -> list[str]:
    """The sources that an info.json names."""
    found = info.get("sources") if isinstance(info, dict) else None
    return [str(name) for name in found] if isinstance(found, list) else []


def _quoted(text: str) -> str:
    """A YAML string: JSON strings are YAML."""
    return json.dumps(text)


def _plain(text: str) -> str:
    """Text for Markdown tables and headings."""
    return "".join(c if c.isprintable() and c not in "|`<>" else " " for c in text)
