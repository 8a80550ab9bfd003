"""The server of a review: on this machine only, for one page only.

    GET  /            the page
    GET  /samples     ids, tasks and verdicts of the samples
    GET  /card?k=3    a sample as markup, pictures inside
    POST /verdict     {"k": 3, "id": "...", "verdict": "accept" | "reject" | null, "reason": "..."}

It answers four fixed addresses; no part of an address is ever a file name. See `spaceland.localserver` for who is
answered.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs

from spaceland.localserver import LocalHandler, LocalServer, RefusedError, Reply, json_reply
from spaceland.review.page import review_page
from spaceland.review.verdicts import REASONS, Journal, Verdict
from spaceland.viewer.cards import Gallery, card
from spaceland.viewer.html import join

_CARDS_KEPT = 16


class ReviewServer(LocalServer):
    """Serves samples of a dataset folder and writes verdicts to its journal.

    Args:
        folder: Dataset folder; pictures come from it.
        samples: Rows to show, in order.
        scenes: What `info.json` says about the scenes.
        journal: Where verdicts go.
        port: 0 for any free one.
    """

    def __init__(
        self,
        folder: Path,
        samples: Sequence[Mapping[str, Any]],
        scenes: Mapping[str, Any],
        journal: Journal,
        port: int = 0,
    ) -> None:
        self.folder, self.samples, self.scenes, self.journal = folder, list(samples), scenes, journal
        self.page, policy = review_page()
        self._cards: dict[int, str] = {}
        self._lock = threading.Lock()
        super().__init__(_Handler, policy, port)

    def listing(self) -> dict[str, Any]:
        """What the page needs to know about all samples."""
        found = []
        for row in self.samples:
            verdict = self.journal.verdict(row)
            found.append(
                {
                    "id": row["id"],
                    "task": row["task"],
                    "format": row["format"],
                    "verdict": verdict.ruling if verdict else None,
                    "reason": verdict.reason if verdict else "",
                }
            )
        return {"samples": found}

    def card(self, k: int) -> str:
        """A sample as markup; the last few are kept, since people go back and forth."""
        with self._lock:
            if k in self._cards:
                return self._cards[k]
        row = self.samples[k]
        scene = self.scenes.get(row["scene"])
        gallery = Gallery(self.folder)
        html = card(row, scene if isinstance(scene, dict) else {}, gallery)
        text = str(join(html, gallery.definitions()))
        with self._lock:
            self._cards[k] = text
            while len(self._cards) > _CARDS_KEPT:
                del self._cards[next(iter(self._cards))]
        return text

    def decide(self, body: Mapping[str, Any]) -> None:
        """Write the verdict that a request holds.

        Raises:
            RefusedError: it makes no sense.
            OutputError: it could not be written.
        """
        k, ruling, reason = body.get("k"), body.get("verdict"), body.get("reason") or ""
        if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k < len(self.samples):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "no such sample")
        row = self.samples[k]
        if body.get("id") != row["id"]:
            raise RefusedError(HTTPStatus.CONFLICT, "the page shows other samples; reload it")
        if ruling not in ("accept", "reject", None) or (ruling == "reject") != (reason in REASONS):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "unknown verdict or reason")
        self.journal.record(row, None if ruling is None else Verdict(ruling, reason))


class _Handler(LocalHandler):
    timeout = 30
    max_body = 10_000
    error_status = HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def review(self) -> ReviewServer:
        assert isinstance(self.server, ReviewServer)
        return self.server

    def get(self, address: SplitResult) -> Reply:
        if address.path == "/":
            return Reply(self.review.page.encode(errors="replace"), "text/html; charset=utf-8")
        if address.path not in ("/samples", "/card"):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        self.check_key()
        if address.path == "/samples":
            return json_reply(self.review.listing())
        asked = parse_qs(address.query).get("k", [""])[0]
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 9 and int(asked) < len(self.review.samples)):
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such sample")
        return json_reply({"html": self.review.card(int(asked))})

    def post(self, address: SplitResult) -> Reply:
        if address.path != "/verdict":
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        self.check_key()
        self.review.decide(self.json_body())
        return json_reply({"saved": True})
