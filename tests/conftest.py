"""Shared by all tests: helper modules beside this file, and where real scans are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

for folder in (".", "questions"):
    sys.path.insert(0, str(Path(__file__).parent / folder))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache."""
    monkeypatch.setenv("SPACELAND_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real scans, from SPACELAND_REAL_DATA; skips where it is not set."""
    folder = os.environ.get("SPACELAND_REAL_DATA")
    if not folder:
        pytest.skip("set SPACELAND_REAL_DATA to a folder with real scans (CONTRIBUTING.md)")
    return Path(folder)
