"""Benchmarks as their authors released them: where their files are, what is in them, and how they become our rows.

    opened = open_rows("vsibench", ["hf:"])
    opened.rows, opened.source["revision"]

table.py says what is known of every data set, fitting.py makes rows of its records, hub.py talks to Hugging Face,
tables.py reads table files, opening.py puts them together. Pictures and videos: `spaceland.evaluation.released_media`.
docs/benchmarks/released.md is the page for users.
"""

from spaceland.benchmarks.released.opening import OpenedRows as OpenedRows
from spaceland.benchmarks.released.opening import open_rows as open_rows
