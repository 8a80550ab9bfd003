"""Markup that cannot be broken by what is put into it, and the shell of every page.

`tag` builds elements. Plain strings among its children are text and get escaped; only `Html`, which nothing but this
module and its callers' own markup produces, passes through. A label such as `<script>` is therefore text wherever it
ends up:

    tag("b", 'a <script> "x"')    ->  <b>a &lt;script&gt; &quot;x&quot;</b>

`page` adds a content security policy that allows one script, named by its hash, and no request to anywhere: should some
hostile text ever get through, the browser would still not run it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from spaceland.viewer.style import CSS

_VOID = frozenset({"img", "meta", "br", "hr", "link", "input", "wbr"})
# Control characters, lone surrogates and text direction overrides: no label needs them, and they garble a page.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


class Html(str):
    """Text that is markup already and must not be escaped again."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Iterable[Child] | None"


def escape(text: object) -> Html:
    """Text as markup: & < > and quotes escaped, unprintable characters replaced.

    >>> escape('<i> & "x"')
    '&lt;i&gt; &amp; &quot;x&quot;'
    """
    return Html(html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(text)), quote=True))


def join(*children: Child) -> Html:
    """Children one after the other: `Html` as it is, other text escaped, None left out, lists flattened."""
    return Html("".join(_flatten(children)))


def _flatten(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str | int | float):
            yield escape(child)
        elif child is not None:
            yield from _flatten(child)


def tag(name: str, /, *children: Child, attributes: Mapping[str, object] | None = None, **more: object) -> Html:
    """One element.

    Keyword attributes lose a trailing underscore and have their other underscores turned into dashes (`class_`,
    `data_task`); `attributes` takes names that this would spoil, such as viewBox. None and False leave an attribute
    out, True writes its bare name.

    >>> tag("p", "1 < 2", class_="note", hidden=True)
    '<p class="note" hidden>1 &lt; 2</p>'
    """
    named = {**(attributes or {}), **{key.rstrip("_").replace("_", "-"): value for key, value in more.items()}}
    parts = [name]
    for key, value in named.items():
        if value is True:
            parts.append(key)
        elif value is not None and value is not False:
            parts.append(f'{key}="{escape(number(value) if isinstance(value, float) else value)}"')
    opening = f"<{' '.join(parts)}>"
    return Html(opening if name in _VOID else f"{opening}{join(*children)}</{name}>")


def number(value: float, decimals: int = 2) -> str:
    """A number without needless zeros.

    >>> number(2.50), number(-0.001), number(3)
    ('2.5', '0', '3')
    """
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def table(head: Sequence[Child], rows: Iterable[Sequence[Child]]) -> Html:
    """A table that scrolls sideways by itself on narrow screens. Cells that are int or float align right."""
    body = list(rows)
    is_number = [any(isinstance(row[k], int | float) for row in body) for k in range(len(head))]

    def line(cells: Sequence[Child], name: str) -> Html:
        kinds = ["num" if numeric else None for numeric in is_number]
        return tag("tr", [tag(name, cell, class_=kind) for cell, kind in zip(cells, kinds, strict=True)])

    return tag(
        "div",
        tag("table", tag("thead", line(head, "th")), tag("tbody", [line(row, "td") for row in body])),
        class_="scroll",
    )


def page(title: str, body: Html, *, script: str = "", images: str = "data:") -> str:
    """A whole page. `script` is our own code; `images` says where pictures may come from (CSP sources).

    The result has no time, no path and no reference to anything outside itself.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src {images}"
    policy += f"; script-src 'sha256-{digest}'" if script else ""
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", attributes={"http-equiv": "Content-Security-Policy", "content": policy}),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        tag("title", title),
        tag("style", Html(CSS)),
    )
    end = tag("script", Html(script)) if script else Html("")
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n{end}\n</body></html>\n'
