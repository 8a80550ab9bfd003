"""A page whose jobs are quick: what they do is under the test's control."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_help import Hand, serving

from spaceland.web import Desk, WebServer

sys.path.insert(0, str(Path(__file__).parents[1] / "review"))  # devtools


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def server(tmp_path: Path, hand: Hand) -> Iterator[WebServer]:
    """A page with a limit of 5000 bytes for uploads, answering in a thread."""
    with serving(Desk(tmp_path / "web", max_upload_bytes=5000, make=hand)) as made:
        yield made
        for _ in range(10):
            hand.go.release()
