"""`spaceland rescore`: logs of other harnesses, scored anew under any protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from spaceland.commands.rules import NO_RULES, Rules


def rescore(
    log: tyro.conf.Positional[Path],
    *,
    benchmark: str | None = None,
    rows: tuple[str, ...] = (),
    protocol: str = "all",
    subset: str | None = None,
    answered: bool = False,
    name: str | None = None,
    json_path: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    seed: int = 0,
    rules: Rules = NO_RULES,
) -> int:
    """Replies in a log of lmms-eval, VLMEvalKit or any other, scored anew.

        spaceland rescore 20260801_samples_vsibench.jsonl
        spaceland rescore Qwen2.5-VL-7B_VSI-Bench_32frame.xlsx --rows test.jsonl --protocol official
        spaceland rescore replies.jsonl --benchmark scanqa --rows ScanQA_v1.0_val.json --json scores.json

    Args:
        log: samples_*.jsonl of lmms-eval, a prediction table of VLMEvalKit (xlsx, tsv, json), or JSONL with id and
            prediction.
        benchmark: Whose rules to use; by default the one that the file's name speaks of.
        rows: The rows (hf:, a folder or files), where the log does not hold them; a log that names rows by place needs
            them in its order.
        protocol: Name of a rule; "all" shows them side by side.
        subset: A part of the rows, for example "debiased".
        answered: Score only the rows that the log answers, as a run with a limit did; others count as wrong otherwise.
        name: What the result calls the model; by default the file's name.
        json_path: Where to write the result, for spaceland compare.
        seed: Of the bootstrap intervals.
    """
    from spaceland.benchmarks.known import KNOWN, ScoreError
    from spaceland.benchmarks.predictions import file_sha256
    from spaceland.benchmarks.released import open_rows
    from spaceland.benchmarks.score import find_protocol, prepare_rows, scored_rows
    from spaceland.commands.evaluate import print_result
    from spaceland.commands.target import check_target
    from spaceland.evaluation.logs import guess_benchmark, read_log
    from spaceland.evaluation.result import build_result
    from spaceland.files import write_json

    check_target(json_path, "--json")
    found = benchmark or guess_benchmark(log)
    if found is None:
        raise ScoreError(f"the name {log.name} speaks of no benchmark; give --benchmark {'|'.join(KNOWN)}")
    chosen = rules.benchmark(found)
    read = read_log(log, chosen, rules.complete(chosen, open_rows(found, rows).rows) if rows else None)
    table = read.rows if rows else rules.complete(chosen, read.rows)
    by_id = dict(zip(prepare_rows(chosen, table), table, strict=True))
    wanted = scored_rows(chosen, table, subset)
    kept = {row_id: by_id[row_id] for row_id in wanted if not answered or row_id in read.replies}
    every = [rule.name for rule in chosen.protocols]
    first = every[0] if protocol == "all" else find_protocol(chosen, protocol).name
    result = build_result(
        chosen,
        first,
        kept,
        {row_id: {"prediction": text} for row_id, text in read.replies.items()},
        {
            "model": {"name": name or log.stem},
            "rows": {"found": len(table), "evaluated": len(kept), "without_media": 0, "unscored": 0, "subset": subset},
            "source": {"kind": read.kind, "file": log.name, "sha256": file_sha256(log)},
        },
        protocols=every if protocol == "all" else [first],
        seed=seed,
    )
    print_result(result)
    missing = len(kept.keys() - read.replies.keys())
    print(f"Read {len(read.replies)} replies from a log of kind {read.kind}.")
    if missing:
        print(f"{missing} rows have no reply; they score 0.")
    if json_path:
        write_json(json_path, result)
        print(f"Wrote {json_path}")
        print(f"Next: spaceland compare {json_path} OTHER.json")
    return 0
