"""What the verbs that score share: files beside the rows, and a judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from spaceland.benchmarks.types import Benchmark, Row


@dataclass(frozen=True, kw_only=True)
class RuleFiles:
    """Every field is an option of the verb."""

    extra: Path | None = None
    """Boxes, proposals and cameras by scene, for benchmarks about boxes."""
    labels: Path | None = None
    """ScanNet's scannetv2-labels.combined.tsv, for ScanRefer."""
    classes: Path | None = None
    """Head, common and tail classes of EmbodiedScan."""
    opponent: Path | None = None
    """Predictions of the system to compare with, for GPT-Score."""
    judge: str | None = None
    """Model that judges, openai:NAME@URL, for protocols that need one."""
    verdicts: Path | None = None
    """File that keeps what the judge said, so that nothing is asked twice."""
    judge_prompts: Path | None = None
    """Folder with released prompts of the judge (NAME.txt) instead of ours."""

    def benchmark(self, name: str) -> Benchmark:
        """The benchmark, with the judge's protocols where there is a judge."""
        from spaceland.benchmarks.known import find_benchmark

        chosen = find_benchmark(name)
        if self.judge is None:
            return chosen
        from spaceland.benchmarks.judge import open_judge, with_judge

        return with_judge(chosen, open_judge(self.judge, verdicts=self.verdicts, prompts=self.judge_prompts))

    def complete(self, benchmark: Benchmark, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows with what the files hold about them."""
        from spaceland.benchmarks.score import complete_rows

        given = {"extra": self.extra, "labels": self.labels, "classes": self.classes, "opponent": self.opponent}
        return complete_rows(benchmark, rows, {name: path for name, path in given.items() if path})


Rules = Annotated[RuleFiles, tyro.conf.arg(name="")]
"""As a parameter: the options carry no prefix."""
NO_RULES = RuleFiles()
