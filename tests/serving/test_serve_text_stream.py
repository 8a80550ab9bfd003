"""Text as it may be shown: equal to the whole, never half a character, never part of a stop string."""

from __future__ import annotations

import random

import pytest

from spaceland.serving.text_stream import TextStream


def from_bytes(tokens: list[int]) -> str:
    """Every byte is a token, as in byte-level tokenizers."""
    return bytes(tokens).decode(errors="replace")


def pieces(text: str, stops: tuple[str, ...] = ()) -> tuple[list[str], bool]:
    stream = TextStream(from_bytes, stops)
    out = []
    for token in text.encode():
        out.append(stream.push(token))
        if stream.stopped:
            break
    out.append(stream.finish())
    return out, stream.stopped


def test_pieces_join_to_the_text_and_hold_whole_characters() -> None:
    text = "Grüße, 世界! 👩‍👩‍👧 e\u0301 end"
    out, stopped = pieces(text)
    assert "".join(out) == text and not stopped
    assert all("\ufffd" not in piece for piece in out)
    # The text is there as early as it can be: each character at its last byte.
    assert out[: len("Gr")] == ["G", "r"] and out[2:4] == ["", "ü"]


def test_bytes_that_are_no_text_still_come_out() -> None:
    stream = TextStream(from_bytes)
    assert stream.push(0xE4) == "" and stream.push(0xB8) == ""
    assert stream.finish() == "\ufffd" and stream.finish() == ""


@pytest.mark.parametrize("seed", range(40))
def test_stop_strings_cut_where_the_first_of_them_begins(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choice("ab\nü") for _ in range(rng.randrange(40)))
    stops = tuple("".join(rng.choice("ab\nü") for _ in range(rng.randrange(1, 5))) for _ in range(rng.randrange(4)))
    out, stopped = pieces(text, stops)
    # A stop is met when its last character is there; of several that end there, the one that begins first counts.
    expected, met = text, False
    for end in range(1, len(text) + 1):
        begins = [text[:end].find(stop) for stop in stops if stop in text[:end]]
        if begins:
            expected, met = text[: min(begins)], True
            break
    assert ("".join(out), stopped) == (expected, met)


def test_nothing_of_a_stop_string_is_ever_shown() -> None:
    stream = TextStream(from_bytes, ("\n\nUser:",))
    shown = "".join(stream.push(t) for t in b"yes\n\nUse")
    assert shown == "yes" and not stream.stopped
    assert stream.push(ord("d")) == "\n\nUsed" and stream.finish() == ""


def test_a_tokenizer_that_writes_the_first_word_otherwise() -> None:
    """As sentencepiece: the space before the first word of a text is not written."""
    words = {1: " one", 2: " two", 3: " three"}
    stream = TextStream(lambda tokens: "".join(words[t] for t in tokens).removeprefix(" "))
    assert [stream.push(t) for t in (1, 2, 3)] == ["one", " two", " three"] and stream.finish() == ""
