"""The README's Python lines run, and what it says exists does exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from spaceland.cli import VERBS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_lines_run(tmp_path: Path) -> None:
    block = re.search(r"<!-- tested: README -->\n```python\n(.*?)```", README, re.S)
    assert block is not None
    lines = [line for line in block[1].splitlines() if line.strip()]
    assert len(lines) <= 12, "the README promises about ten lines"
    code = block[1].replace('"rooms:7"', '"rooms:7?width=320&height=240"')
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "-> " in result.stdout
    assert result.stdout.strip().splitlines()[-1] == "100.0"
    assert (tmp_path / "out" / "marked" / "bev.png").is_file()


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_verb_is_in_the_readme() -> None:
    assert all(f"spaceland {verb}" in README for verb in VERBS)
    assert "make demo" in README
    assert "make test" in README


def test_names_of_the_package_are_not_hidden_by_its_parts() -> None:
    """A subpackage of the same name would replace a public function as soon as somebody imports it."""
    import importlib.util

    import spaceland

    hidden = [name for name in spaceland.__all__ if importlib.util.find_spec(f"spaceland.{name}") is not None]
    assert hidden == []
