"""`make lint` says the same whether or not the extras are installed."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Packages whose import name is not their distribution name.
IMPORT_NAMES = {"pillow": "PIL"}


def third_party_imports() -> set[str]:
    """Top-level names of every import in the package that the standard library does not have."""
    names: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.split(".")[0])
    return {name for name in names if name not in sys.stdlib_module_names and name != "spaceland"}


def test_every_optional_import_is_known_to_the_type_checker() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    required = {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in settings["project"]["dependencies"]}
    required = {IMPORT_NAMES.get(name, name) for name in required}
    untyped = {name.split(".")[0] for name in settings["tool"]["pyrefly"]["replace-imports-with-any"]}
    assert third_party_imports() - required - untyped == set()
