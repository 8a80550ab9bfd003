"""Rows of VSI-Bench with their videos, and a server that answers by question."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from evaluation_help import question_number, write_frames

from chat_server import reply

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from rows_vsibench import make_rows


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DATASET/SCENE.mp4 of all scenes that the rows name, as VSI-Bench lays them out."""
    folder = tmp_path_factory.mktemp("videos")
    for scene in range(7):
        write_frames(folder / "scannet" / f"scene{scene:04d}_00.mp4", scene)
    return folder


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return make_rows(40, 3)


@pytest.fixture
def rows_file(rows: list[dict[str, Any]], tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def gold_server(rows: list[dict[str, Any]]) -> Callable[[BaseHTTPRequestHandler], None]:
    """A step of the server that gives the right answer to any row."""
    answers = {row["id"]: row["ground_truth"] for row in rows}

    def step(handler: Any) -> None:
        reply(answers[question_number(handler.body)])(handler)

    return step
