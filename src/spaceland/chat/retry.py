"""When to ask a server again, and how long to wait before.

Waits double from `base_s` up to `cap_s`, each drawn between half and all of that, so that many clients do not come back
together. A server's Retry-After is honoured: the wait is at least that long. One that asks for more than `patience_s`
is not waited for.

    tries 1 2 3 4 5 with base 1 s:  wait 0.5..1, 1..2, 2..4, 4..8 s
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class RetryConfig:
    """How often and how long. `tries` counts the first one."""

    tries: int = 5
    base_s: float = 1.0
    cap_s: float = 30.0
    patience_s: float = 120.0
    seed: int = 0


class Waits:
    """Draws waiting times; safe to share between threads."""

    def __init__(self, config: RetryConfig) -> None:
        self._config, self._random, self._lock = config, random.Random(config.seed), threading.Lock()

    def after(self, failures: int, retry_after_s: float | None = None) -> float | None:
        """Seconds to wait after so many failures in a row; None: give up."""
        config = self._config
        if failures >= config.tries or (retry_after_s is not None and retry_after_s > config.patience_s):
            return None
        with self._lock:
            share = 0.5 + 0.5 * self._random.random()
        # The exponent is bounded so that large `tries` cannot overflow.
        wait = share * min(config.cap_s, config.base_s * 2.0 ** min(failures - 1, 60))
        return max(wait, retry_after_s or 0.0)


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date; None where it is absent or makes no sense.

    >>> retry_after_s("2"), retry_after_s("soon")
    (2.0, None)
    """
    if not header:
        return None
    text = header.strip()[:64]
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
