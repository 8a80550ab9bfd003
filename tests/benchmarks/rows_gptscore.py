"""ScanQA rows with the answer of another system, here always a wrong one."""

from __future__ import annotations

from typing import Any

import rows_scanqa

# Against an opponent that is always wrong a single word in common wins, and nothing in common is a tie.
CHANCE = (20.0, 70.0)


def make_rows(num: int, seed: int) -> list[dict[str, Any]]:
    return [{**row, "opponent": "a zebra"} for row in rows_scanqa.make_rows(num, seed)]


def gold(row: dict[str, Any]) -> str:
    return rows_scanqa.gold(row)
