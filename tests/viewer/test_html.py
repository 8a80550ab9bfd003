"""What is put into markup stays text."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reader import HOSTILE, Reader

from spaceland.viewer.html import Html, escape, join, number, page, table, tag


@pytest.mark.parametrize("text", HOSTILE)
def test_text_comes_back_as_text(text: str) -> None:
    read = Reader(tag("p", text, title=text))
    assert read.tags == [("p", {"title": text})]
    assert read.text == text


PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=["Cc"])


@given(st.text(PRINTABLE))
def test_any_text_comes_back_as_text(text: str) -> None:
    read = Reader(tag("p", text, title=text))
    assert read.tags == [("p", {"title": text})]
    assert read.text == text


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "x\u202ey", "\x1b[31m"])
def test_unprintable_characters_are_replaced(text: str) -> None:
    shown = escape(text)
    shown.encode()  # a lone surrogate would not encode
    assert "\N{REPLACEMENT CHARACTER}" in shown


def test_only_html_passes_through() -> None:
    assert join("<", Html("<br>"), None, [1, [2.5, "&"]]) == "&lt;<br>12.5&amp;"
    assert tag("a", tag("b", "x"), href="y") == '<a href="y"><b>x</b></a>'
    # A piece cut out of markup is ordinary text again.
    assert tag("p", Html("<b>x</b>")[:3]) == "<p>&lt;b&gt;</p>"


def test_attributes() -> None:
    assert tag("i", class_="a", data_task="t", hidden=True, title=None, draggable=False) == (
        '<i class="a" data-task="t" hidden></i>'
    )
    assert tag("svg", attributes={"viewBox": "0 0 1 1"}, width=1.5) == '<svg viewBox="0 0 1 1" width="1.5"></svg>'
    assert tag("br") == "<br>"


def test_number() -> None:
    assert [number(v) for v in (1.0, 0.125, -0.001, 100.0, 1e6, 0.5)] == ["1", "0.12", "0", "100", "1000000", "0.5"]


def test_table_aligns_numbers() -> None:
    read = Reader(table(["name", "n"], [["a", 1], ["b", ""]]))
    assert [attributes.get("class") for name, attributes in read.tags if name in ("th", "td")] == [None, "num"] * 3


def test_policy_allows_the_page_s_own_script_and_nothing_else() -> None:
    script = 'document.title = "x";'
    html = page("t <x>", tag("p", "x"), script=script)
    policies = [a["content"] or "" for name, a in Reader(html).tags if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"]
    assert re.search(r"<title>t &lt;x&gt;</title>", html)
    assert "script-src" not in page("t", tag("p", "x"))
