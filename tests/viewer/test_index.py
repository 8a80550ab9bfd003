"""Index pages link to files beside them and to nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_reader import HOSTILE, Reader

from spaceland.errors import OutputError
from spaceland.viewer.index import Image, Link, Section, Table, write_index


def test_sections_in_order(tmp_path: Path) -> None:
    name = "a b#?%:\u00e4.png"
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / name).write_bytes(b"")
    sections = [
        Section(title="One", text=["some <text>"], tables=[Table(["t", "n"], [["a", 1.5]])]),
        Section(title="Two", images=[Image(f"x/{name}", "cap")], code="cmd & go", links=[Link("x", "folder")]),
    ]
    page = write_index(tmp_path, "Title", sections, lead="Lead")
    assert page == tmp_path / "index.html"
    read = Reader(page.read_text())
    main = read.text.rindex("Lead")
    order = [read.text.index(part, main) for part in ("Lead", "some <text>", "1.5", "cap", "cmd & go", "folder")]
    assert order == sorted(order)
    sources = [a["src"] for tag, a in read.tags if tag == "img"]
    assert sources == ["./x/a%20b%23%3F%25%3A%C3%A4.png"]
    first = page.read_bytes()
    write_index(tmp_path, "Title", sections, lead="Lead")
    assert page.read_bytes() == first


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "none.png", "", "javascript:alert(1)", "a/../../x"])
def test_dead_and_outside_links_are_refused(tmp_path: Path, path: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "x").write_text("")
    with pytest.raises(OutputError, match="no file in that folder"):
        write_index(out, "t", [Section(title="s", links=[Link(path, "x")])])


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_text(tmp_path: Path, hostile: str) -> None:
    (tmp_path / "f").write_text("")
    part = Section(
        title=hostile,
        text=[hostile],
        tables=[Table([hostile], [[hostile]])],
        images=[Image("f", hostile)],
        code=hostile,
        links=[Link("f", hostile)],
    )
    read = Reader(write_index(tmp_path, hostile, [part], lead=hostile).read_text())
    assert "script" not in [name for name, _ in read.tags]
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    assert read.text.count(hostile) >= 8
