"""BLEU, ROUGE-L, CIDEr and METEOR: to the digit what the reference programs gave, and what must hold by themselves."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import numpy as np
import pytest
from golden_text import CANDIDATES, GOLDEN, REFERENCES

from spaceland.benchmarks.scan2cap import spaced, wrapped
from spaceland.benchmarks.text import bleu, bleu_statistics, caption_table, cider, java, rouge_l, tokenize
from spaceland.benchmarks.text.fvalue import f_value, noun_base
from spaceland.benchmarks.text.rouge import common_length

IN_PYTHON = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr")


def _words() -> tuple[list[list[str]], list[str]]:
    return [[tokenize(text) for text in item] for item in REFERENCES], [tokenize(text) for text in CANDIDATES]


def _spaced() -> list[list[str]]:
    return [[wrapped(spaced(text)) for text in item] for item in REFERENCES]


def _half(placeholder: str) -> list[str]:
    return [wrapped(spaced(text)) if k % 2 else placeholder for k, text in enumerate(CANDIDATES)]


@pytest.mark.parametrize(
    ("kept", "texts"),
    [
        ("ptb", _words),
        ("sos_eos", lambda: (_spaced(), [wrapped(spaced(text)) for text in CANDIDATES])),
        ("half_missing_one_space", lambda: (_spaced(), _half("sos eos"))),
        ("half_missing_two_spaces", lambda: (_spaced(), _half("sos  eos"))),
    ],
)
def test_corpus_figures_are_those_of_the_reference(
    kept: str, texts: Callable[[], tuple[list[list[str]], list[str]]]
) -> None:
    table = caption_table(*texts())
    found = table.corpus()
    for name in IN_PYTHON:
        assert found[name] == pytest.approx(GOLDEN[kept][name], abs=1e-8), name
    if java.java_package() is None:
        assert found["METEOR"] is None and table.rows()[0]["METEOR"] is None
    else:
        assert found["METEOR"] == pytest.approx(GOLDEN[kept]["METEOR"], abs=1e-8)


def test_sentence_figures_are_those_of_the_reference() -> None:
    rows = caption_table(*_words()).rows()
    for name in ("ROUGE-L", "CIDEr", "METEOR"):
        if rows[0][name] is not None:
            assert [row[name] for row in rows] == pytest.approx(GOLDEN["rows"][name], abs=1e-8), name


def test_two_spaces_cost_rouge_and_nothing_else() -> None:
    one, two = (caption_table(_spaced(), _half(text), use_java=False).corpus() for text in ("sos eos", "sos  eos"))
    assert {name for name in one if one[name] != two[name]} == {"ROUGE-L"}
    assert (one["ROUGE-L"], two["ROUGE-L"]) == (pytest.approx(0.597007874), pytest.approx(0.594518191))


def test_without_java_meteor_and_spice_are_none_and_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "java_package", lambda: None)
    found = caption_table([["a chair"]], ["a chair"]).corpus()
    assert found["METEOR"] is None
    assert found["SPICE"] is None


def test_meteor_formula_on_the_programs_own_numbers() -> None:
    """Statistics that METEOR 1.5 printed for sentences of ours, and the scores that it printed for them."""
    lines = (
        "9 8 4 4  2 2 3 3  1 1 0 0  0 0 0 0  1 1 0 1  3 7 8",
        "2 2 1 1  0 0 1 1  0 0 0 0  0 0 0 0  0 0 0 0  1 1 1",
        "2 2 0 0  2 2 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 2 2",  # a whole match has no break: 0 for 1
        "0 2 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0",
        "6 7 2 4  1 1 2 2  0 0 0 0  0 0 0 0  0 0 0 0  2 3 3",
    )
    statistics = np.array([[float(number) for number in line.split()] for line in lines])
    assert java.meteor(statistics).tolist() == pytest.approx([0.3983053417884596, 0.1, 1, 0, 0.16986131296994808])
    assert float(java.meteor(statistics.sum(0))) == pytest.approx(0.27517742564846437)


def test_bleu_of_cases_done_by_hand() -> None:
    assert bleu(bleu_statistics([["a b c d e"]], ["a b c d e"]))[0].tolist() == pytest.approx([1, 1, 1, 1])
    # Two of three words, one of two pairs; one word short: exp(1 - 4/3).
    short = bleu(bleu_statistics([["a b c d"]], ["a b x"]))[0]
    assert short[0] == pytest.approx(2 / 3 * np.exp(1 - 4 / 3))
    assert short[1] == pytest.approx((2 / 3 / 2) ** 0.5 * np.exp(1 - 4 / 3))
    # Counts are clipped by the reference that has most; of lengths 2 and 4 the shorter is taken for a 3-word text.
    assert bleu_statistics([["a a", "a b c d"]], ["a a a"])[0, [0, 1, 2, 6]].tolist() == [3, 2, 3, 2]
    assert bleu(bleu_statistics([["a"]], [""]))[0].tolist() == pytest.approx([0, 0, 0, 0], abs=1e-9)


def test_rouge_takes_best_precision_and_best_recall_from_different_references() -> None:
    # Precision 1 from the first (both words), recall 1 from the second (its only word).
    assert rouge_l(["a b c d", "b"], "a b") == pytest.approx(1.0)
    assert rouge_l(["a b c d"], "a b") == pytest.approx(2.44 * 0.5 / (0.5 + 1.44))
    assert rouge_l(["a"], "") == 0


def test_common_length_equals_the_plain_recursion() -> None:
    def plain(first: list[str], second: list[str]) -> int:
        row = [0] * (len(second) + 1)
        for word in first:
            before = 0
            for place, other in enumerate(second, 1):
                kept = row[place]
                row[place] = before + 1 if word == other else max(row[place], row[place - 1])
                before = kept
        return row[-1]

    rng = random.Random(0)
    for _ in range(400):
        first, second = (rng.choices("abcd", k=rng.randint(0, 12)) for _ in range(2))
        assert common_length(first, second) == plain(first, second)


def test_cider_depends_on_how_many_are_evaluated() -> None:
    references = [["a brown wooden chair"], ["a big old table"], ["on the left side"]]
    texts = ["a brown wooden chair", "a table", "on the right side"]
    assert cider(references, texts)[0] == pytest.approx(10)
    # Of three items two have an "a", of the first two all have: there it counts for nothing.
    assert cider(references, texts)[1] > cider(references[:2], texts[:2])[1] + 0.01
    assert cider(references[:1], texts[:1])[0] == 0  # ln 1 = 0: one item alone has no rare words
    assert cider([["chair"], ["table"]], ["chair", "lamp"]).tolist() == pytest.approx([2.5, 0])
    assert cider([], []).tolist() == []


def test_a_part_of_a_table_is_a_sum_of_its_lines() -> None:
    table = caption_table(*_words(), use_java=False)
    part = table.corpus([3, 1, 7])
    references, candidates = _words()
    alone = caption_table([references[k] for k in (3, 1, 7)], [candidates[k] for k in (3, 1, 7)], use_java=False)
    assert part["BLEU-4"] == pytest.approx(alone.corpus()["BLEU-4"])
    assert part["ROUGE-L"] == pytest.approx(alone.corpus()["ROUGE-L"])
    assert part["CIDEr"] == pytest.approx(np.mean([table.cider[k] for k in (3, 1, 7)]))
    assert set(table.corpus([]).values()) == {None}


def test_f_value_with_the_oddities_of_the_lemmatiser() -> None:
    words = ("chairs", "shelves", "boxes", "Chairs", "glass", "has", "as", "feet", "bookshelves", "toiletries", "is")
    assert [noun_base(word) for word in words] == [
        "chair", "shelf", "box", "Chairs", "glass", "ha", "a", "foot", "bookshelf", "toiletry", "is",
    ]  # fmt: skip
    assert f_value("brown chairs", ["brown chair"]) == 1
    assert f_value("brown", ["brown chair", "black"]) == pytest.approx(2 / 3)
    assert f_value("", ["brown"]) == 0
    assert f_value("", [""]) == 1


def test_time_grows_no_faster_than_the_number_of_rows() -> None:
    references, candidates = _words()

    def seconds(times: int) -> float:
        started = time.process_time()
        caption_table(references * times, candidates * times, use_java=False)
        return time.process_time() - started

    seconds(20)
    assert seconds(400) < 20 * max(seconds(50), 0.01)


def test_meteor_reads_strange_texts_as_one_line_each() -> None:
    texts = ["a\nb", "a ||| b", "", "\u2028x\r\n", "chair"]
    statistics = java.meteor_statistics([["a b"]] * 5, texts)
    if statistics is None:
        pytest.skip("needs pycocoevalcap (extra 'captions') and a Java")
    assert java.meteor(statistics)[2] == 0
    assert java.meteor(statistics)[0] == pytest.approx(1)
