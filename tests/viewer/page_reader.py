"""For the tests of pages: text that tries to break out, a reader of markup, and datasets with changed rows."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from spaceland.datasets.rows import read_rows

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</script><script>alert(1)</script>",
    "</style></title></pre><svg/onload=alert(1)>",
    "<!--",
    "&lt;b&gt; &amp;",
    "javascript:alert(1)",
]


class Reader(HTMLParser):
    """Elements, attributes and text of a piece of markup."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def changed(dataset: Path, out: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the dataset with every row changed."""
    shutil.copytree(dataset, out)
    rows = list(read_rows(out / "rows.jsonl"))
    for row in rows:
        change(row)
    (out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return out


def cards(html: str) -> list[str]:
    return re.findall(r"<article .*?</article>", html, re.S)
