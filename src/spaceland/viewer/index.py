"""An index page for a folder of results: text, pictures, tables and links to files that lie beside it.

    write_index(Path("out/demo"), "Two rooms", [Section("Pictures", images=(Image("bev.png", "from above"),))])

Unlike a report it embeds nothing: pictures and links are relative, so the folder can be moved as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from spaceland.errors import OutputError
from spaceland.files import write_text
from spaceland.version import __version__
from spaceland.viewer.html import Child, Html, page, table, tag


@dataclass(frozen=True)
class Image:
    """A picture file, relative to the page, and what it shows."""

    path: str
    caption: str


@dataclass(frozen=True)
class Link:
    """A file or folder, relative to the page, and how the link reads."""

    path: str
    text: str


@dataclass(frozen=True)
class Table:
    """Column names and rows; numbers align right."""

    head: Sequence[Child]
    rows: Sequence[Sequence[Child]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page, shown in this order: text, tables, pictures, code, links."""

    title: str
    text: Sequence[Child] = ()
    """Paragraphs."""
    tables: Sequence[Table] = ()
    images: Sequence[Image] = ()
    first_large: bool = False
    """Show the first picture large, with the others beside it."""
    code: str = ""
    """Shown as it is, such as commands or a prompt."""
    links: Sequence[Link] = ()


def write_index(
    out_dir: Path, title: str, sections: Sequence[Section], *, lead: str = "", links: Sequence[Link] = ()
) -> Path:
    """Write `index.html` into a folder; returns its path. `lead` and `links` stand under the title.

    Raises:
        OutputError: a picture or link names no file below the folder, or the page cannot be written.
    """
    anchors = [f"section-{k + 1}" for k in range(len(sections))]
    parts = [tag("a", part.title, href=f"#{name}") for name, part in zip(anchors, sections, strict=True)]
    heading = tag(
        "div",
        tag("div", "spaceland", class_="brand"),
        tag("h1", title),
        tag("p", lead) if lead else None,
        _links(out_dir, links),
    )
    body = tag(
        "div",
        tag("header", tag("div", heading, class_="wrap"), class_="hero"),
        tag("nav", tag("div", parts, class_="wrap")),
        tag(
            "main",
            [_section(out_dir, name, part) for name, part in zip(anchors, sections, strict=True)],
            tag("footer", f"Made by spaceland {__version__}."),
            class_="wrap",
        ),
    )
    path = out_dir / "index.html"
    write_text(path, page(title, body, images="'self' file: data:"))
    return path


def _section(out_dir: Path, name: str, part: Section) -> Html:
    figures = [
        tag(
            "figure",
            tag(
                "a",
                tag("img", src=_href(out_dir, image.path), alt=image.caption, loading="lazy"),
                href=_href(out_dir, image.path),
            ),
            tag("figcaption", image.caption),
        )
        for image in part.images
    ]
    return tag(
        "section",
        tag("h2", part.title),
        [tag("p", text) for text in part.text],
        [table(t.head, t.rows) for t in part.tables],
        tag("div", figures, class_="gallery lead" if part.first_large else "gallery") if figures else None,
        tag("pre", part.code) if part.code else None,
        _links(out_dir, part.links),
        id=name,
    )


def _links(out_dir: Path, links: Sequence[Link]) -> Html | None:
    items = [tag("li", tag("a", link.text, href=_href(out_dir, link.path))) for link in links]
    return tag("ul", items, class_="links") if items else None


def _href(out_dir: Path, path: str) -> str:
    """A relative address that works for any file name; it must exist, so that no page with dead links is written."""
    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts or not (out_dir / path).exists():
        raise OutputError(f"the index page of {out_dir} should link to '{path}', which is no file in that folder")
    # A first part with a colon would read as a scheme.
    return "./" + quote(str(PurePosixPath(path)))
