"""How long the text metrics of ScanQA take: 4,675 questions with two references each, on one core, without Java.

The goal is 3 s for everything under one protocol (words, BLEU, ROUGE-L, CIDEr, exact matches, F-value). Rows are read
from the released file where one is given, else made up with answers of the same length; the last lines show that twice
the rows take twice the time, and how long METEOR takes where Java is there.

    python bench/bench_text_metrics.py
    python bench/bench_text_metrics.py --rows ScanQA_v1.0_val.json
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from pathlib import Path
from typing import Any

from spaceland.benchmarks.scanqa import BENCHMARK
from spaceland.benchmarks.text import java, tokenize

NUM_ROWS = 4675
GOAL_S = 3.0
WORDS = (
    "the a brown black white chair table desk lamp window door left right of on under next to two three small large "
    "round wooden office kitchen sink cabinet shelf wall corner room bed pillow monitor and with it is in front"
)


def make_rows(num: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows with answers of one to six words, most of them short, as in ScanQA."""
    rng = random.Random(seed)
    words = WORDS.split()

    def answer() -> str:
        return " ".join(rng.choices(words, k=rng.choice((1, 1, 2, 2, 3, 4, 6))))

    return [
        {"question_id": f"val-{k}", "question": f"What is thing {k}?", "answers": [answer(), answer()]}
        for k in range(num)
    ]


def make_replies(rows: list[dict[str, Any]], seed: int = 1) -> list[str]:
    """Half right, every other of them with a capital and a full stop."""
    rng = random.Random(seed)
    texts = [row["answers"][0] if k % 2 == 0 else rng.choice(rows)["answers"][0] for k, row in enumerate(rows)]
    return [f"{text[:1].upper()}{text[1:]}." if k % 4 == 0 else text for k, text in enumerate(texts)]


def seconds(protocol: str, rows: list[dict[str, Any]]) -> float:
    """Processor time of scoring and summarising, words not remembered from before."""
    replies = make_replies(rows)
    tokenize.__globals__["_known_words"].cache_clear()
    rule = BENCHMARK.protocol(protocol)
    started = time.process_time()
    rule.summarise(rows, rule.score(rows, replies))
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=Path, help="ScanQA_v1.0_val.json")
    given = parser.parse_args().rows
    rows = json.loads(given.read_text()) if given else make_rows(NUM_ROWS)
    if java.java_package() is not None:
        started = time.perf_counter()
        java.meteor_statistics([row["answers"] for row in rows], make_replies(rows))
        print(f"METEOR through Java: {time.perf_counter() - started:.1f} s; it is left out below")
        java.java_package = lambda: None  # type: ignore[assignment]
    for protocol in BENCHMARK.protocols:
        print(f"{protocol.name:<14} {len(rows)} rows: {seconds(protocol.name, rows):.2f} s   goal {GOAL_S} s")
    for times in (1, 2, 4):
        many = make_rows(NUM_ROWS * times)
        print(f"official       {len(many)} made-up rows: {seconds('official', many):.2f} s")
    print(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
