"""Words are cut as the Java tokeniser cuts them: kept results, real answers, and Java itself where it is there."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from golden_text import CANDIDATES, GOLDEN, REFERENCES
from hypothesis import given, settings
from hypothesis import strategies as st

from spaceland.benchmarks.text import java, tokenize

# What the caption toolkit drops after the tokeniser.
DROPPED = frozenset(("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", *".?!,:;-", "--", "..."))


def test_words_are_those_that_java_found() -> None:
    for text, words in GOLDEN["words"]:
        assert tokenize(text).split() == words.split(), text
    for item in GOLDEN["items"]:
        assert tokenize(item["candidate"]).split() == item["candidate_words"].split()
        assert [tokenize(text).split() for text in item["references"]] == [w.split() for w in item["reference_words"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(a chair)", "-lrb- a chair -rrb-"),
        ("[a] {b}", "-lsb- a -rsb- -lcb- b -rcb-"),
        ("It is 'round', \"old\" and well-made.", "it is round old and well-made"),
        ("can't cannot won't n't", "ca n't can not wo n't n't"),
        ("do n't it 's", "do n't it 's"),
        ("letter l. is", "letter l. is"),
        ("No. 5 but no.", "no. 5 but no"),
        ("...3 chairs", "3 chairs"),
        ("", ""),
        (" \n\t ", ""),
        ("\U0001f600 chair\u200btable", "chair table"),
    ],
)
def test_what_surprises(text: str, words: str) -> None:
    assert tokenize(text) == words


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gives_single_spaced_words_without_punctuation(text: str) -> None:
    words = tokenize(text)
    assert words == " ".join(words.split(" ")) == words.strip(" ")
    assert not set(words.split(" ")) & DROPPED
    assert tokenize(f"  {text}\n") == words


@pytest.mark.parametrize("pattern", ["a", "a.", "'", "a'", "<", "-", "a-", "1,", "!", "http://", "a@", "&", ".", "a/"])
def test_long_pieces_cost_linear_time(pattern: str) -> None:
    started = time.process_time()
    tokenize(pattern * 50_000)
    assert time.process_time() - started < 3


def java_words(texts: list[str], tmp_path: Path) -> list[list[str]]:
    """What Java makes of texts without line ends."""
    folder = java.java_package()
    if folder is None:
        pytest.skip("needs pycocoevalcap (extra 'captions') and a Java")
    (tmp_path / "texts").write_text("\n".join(texts), encoding="utf-8")
    command = ["java", "-cp", str(folder / "tokenizer" / "stanford-corenlp-3.4.1.jar")]
    command += ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", str(tmp_path / "texts")]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\n")
    return [[word for word in line.split() if word not in DROPPED] for line in lines[: len(texts)]]


def test_java_agrees_on_our_sentences(tmp_path: Path) -> None:
    texts = [text for text, _ in GOLDEN["words"]] + CANDIDATES + [text for item in REFERENCES for text in item]
    assert [tokenize(text).split() for text in texts] == java_words(texts, tmp_path)


@pytest.mark.real
def test_java_agrees_on_every_real_answer_and_question(real_data: Path, tmp_path: Path) -> None:
    scanqa = json.loads((real_data / "ScanQA_v1.0_val.json").read_text())
    openeqa = json.loads((real_data / "openeqa_v0.json").read_text())
    texts = [text for row in scanqa for text in (row["question"], *row["answers"])]
    texts += [text for row in openeqa for text in (row["question"], row["answer"], *(row.get("extra_answers") or ()))]
    texts = [" ".join(text.splitlines()) for text in texts]
    assert [tokenize(text).split() for text in texts] == java_words(texts, tmp_path)
