"""A dataset of few rows with pictures, made by hand: reviews need no geometry."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from review_rows import make_row

from spaceland.datasets.rows import dump_row
from spaceland.files import encode_jpeg, write_bytes
from spaceland.review import Journal, ReviewServer


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "d"
    write_bytes(folder / "images/roomA/000000.jpg", encode_jpeg(np.full((60, 80, 3), 120, np.uint8)))
    rows = [make_row(k) for k in range(3)] + [make_row(k, "room_size") for k in range(2)]
    (folder / "rows.jsonl").write_text("".join(dump_row(row) + "\n" for row in rows))
    (folder / "info.json").write_text(json.dumps({"scenes": {"roomA": {"objects": [[1, 2, "lamp", 0.3, 0.3, 0]]}}}))
    return folder


@pytest.fixture
def server(dataset: Path) -> Iterator[ReviewServer]:
    """A review of all five rows, answering in a thread."""
    rows = [json.loads(line) for line in (dataset / "rows.jsonl").read_text().splitlines()]
    scenes = json.loads((dataset / "info.json").read_text())["scenes"]
    with ReviewServer(dataset, rows, scenes, Journal.open(dataset / "review.jsonl")) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()
