"""Figures that the Java tools gave for sentences of our own; see `made_with` in the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_text_metrics.json").read_text())
CANDIDATES: list[str] = [item["candidate"] for item in GOLDEN["items"]]
REFERENCES: list[list[str]] = [item["references"] for item in GOLDEN["items"]]
