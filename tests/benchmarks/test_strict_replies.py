"""What `strict` reads in a reply: one letter or none, one number, whatever the words around it."""

from __future__ import annotations

import random
import time

import pytest

from spaceland.benchmarks import find_benchmark, score_benchmark
from spaceland.benchmarks.replies import said_option, strict_choice, strict_number

OPTIONS = ("chair", "table", "bed", "sofa")


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        # Stated beside a letter that is denied.
        ("The correct answer is A, not B", "A"),
        ("The answer is A. B is wrong.", "A"),
        ("The answer is A, and B is wrong", "A"),
        ("The answer is A, and B can be ruled out", "A"),
        ("B is wrong, A is right", "A"),
        ("A\nB is wrong", "A"),
        ("A, not B or C", "A"),
        ("It is not B, A is right", "A"),
        ("The answer is not A but B", "B"),
        ("The answer isn't A. It's B.", "B"),
        ("Option B (table) is wrong, A", "A"),
        ("B, C and D are wrong, so A", "A"),
        ("Rule out B and C. A", "A"),
        ("I don't think it is B. A.", "A"),
        ("It is A rather than B", "A"),
        ("B doesn't fit, A does", "A"),
        ("B does not match, A does", "A"),
        ("B isn't near, A", "A"),
        ("B is clearly wrong, A", "A"),
        ("Neither A nor B is right, so C.", "C"),
        ("B is incorrect.", None),
        # Stated after others were only spoken of.
        ("Option A shows a chair. Option B shows a table. The answer is B.", "B"),
        ("A. one\nB. two\nThe best option is C", "C"),
        ("I would not choose B, I pick A", "A"),
        ("A is right of the table, so B", "B"),  # says where A is
        # Hedging names none.
        ("A or B", None),
        ("A, B", None),
        ("A/B", None),
        ("Either A or B", None),
        ("The answer is A or B", None),
        ("the answer is a or b", None),
        ("A. one\nB. two", None),
        # A letter that opens the reply.
        ("A because it is nearer than B", "A"),
        ("A, since B is further away", "A"),
        ("D. left of chair A", "D"),
        ("b) left", "B"),
        ("(A) is near.\n\nSo (B)", "B"),
        ("(a) car comes, so B", "B"),
        ("B - it moves", "B"),
        ("B. left, not D. right", "B"),
        ("``B is right``", "B"),
        # Alone in a sentence.
        ("A is correct", "A"),
        ("Option A is correct", "A"),
        ("answer: a", "A"),
        ("**Answer:** B", "B"),
        ("Answer:\n\nB", "B"),
        ("The answer is 'B'", "B"),
        ("I think B", "B"),
        ("No, B is right", "B"),
        ("\u7b54\u6848\u662fB", "B"),
        # No letters at all.
        ("A chair is the nearest", None),
        ("IT IS A TABLE", None),
        ("the answer is a chair", None),
        ("the C-shaped one", None),
        # Marked answers.
        ("A or B? <answer>B</answer>", "B"),
        ("A is near. \\boxed{\\text{B}}", "B"),
        ("<answer></answer> B", "B"),
    ],
)
def test_letters(reply: str, letter: str | None) -> None:
    assert said_option(reply, 4, OPTIONS) == letter
    for gold in "AB":
        assert strict_choice(reply, gold, OPTIONS) == (letter == gold)


@pytest.mark.parametrize(("reply", "letter"), [("I think so", None), ("I was there", None), ("I", "I"), ("(I)", "I")])
def test_the_pronoun_is_no_option(reply: str, letter: str | None) -> None:
    assert said_option(reply, 10) == letter


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("4 chairs (2 black, 2 white)", 1),
        ("The answer is 4 (see image 3)", 1),
        ("Answer: 4\nConfidence: 90%", 1),
        ("**Answer:** about 4 of 7", 1),
        ("The answer is four, as image 3 shows", 1),
        ("4 (four)", 1),
        ("(4)", 1),
        ("2 or 4", 1),
        ("The answer is 2 x 2 = 4", 1),
        ("The answer is 2 or 4", 1),
        ("The answer is 3-4", 1),
        ("The answer is not 3, it is 4", 1),
        ("Two of 3: <answer>4</answer> (90 %)", 1),
        ("4 or 2", 0.1),
        ("chairs", 0),
    ],
)
def test_numbers(reply: str, score: float) -> None:
    assert strict_number(reply, "4") == pytest.approx(score)


def test_lengths_keep_their_unit_beside_an_aside() -> None:
    assert strict_number("1.5 m (150 cm)", "1.5", "m") == 1
    assert strict_number("The answer is 150 cm (5 feet)", "1.5", "m") == 1
    assert strict_number("5 feet (1.5 m)", "1.5", "m") == 1


def test_all_choice_benchmarks_read_the_same() -> None:
    row = {"id": 1, "source": "COCO", "choices": ["x", "y"], "answer": "(A)", "prompt": "?"}
    said = {"1": "The correct answer is A, not B"}
    assert score_benchmark(find_benchmark("cvbench"), [row], said, "strict", resamples=0).overall == 100


def test_time_is_linear_in_hostile_text() -> None:
    rng = random.Random(3)
    words = (
        "A",
        "B",
        "or",
        "not",
        "is wrong",
        "answer is",
        "(",
        "*",
        ",",
        "\n",
        "1",
        "1-",
        "a",
        "so",
        "which",
        "\\boxed{",
    )
    for text in (*(unit * (40_000 // len(unit)) for unit in ("A or ", "A,\n", "(((A", "not A ", "answer is ", "(1")),
                 " ".join(rng.choice(words) for _ in range(15_000))):  # fmt: skip
        begin = time.process_time()
        said_option(text, 4, OPTIONS)
        strict_number(text, "4", "m")
        assert time.process_time() - begin < 5, text[:20]
