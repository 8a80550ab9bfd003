"""Rows of the six benchmarks, prepared in a folder of the test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from lmmseval_help import Case
from lmmseval_help import make_case as make

from spaceland.lmmseval import prepared


@pytest.fixture
def make_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Case]:
    """Rows, pictures and gold replies of a benchmark, by name."""
    monkeypatch.setenv(prepared.VARIABLE, str(tmp_path / "prepared"))
    return partial(make, tmp_path)
