"""Asking several rows at a time: a stop is heard, whatever the main thread waits for."""

from __future__ import annotations

import subprocess
import sys
import time

ASKING = """
import _thread, signal, threading, time
from spaceland.chat.types import Generation
from spaceland.evaluation.ask import ask_concurrently
from spaceland.evaluation.plan import Item

class Silent:
    name = "silent"

    def complete(self, messages, generation):
        time.sleep(100)

items = [Item(id=str(k), prompt="?", prompt_sha256="", media=None) for k in range(3)]
# A run in the background of a script inherits that interrupts are ignored; a user at a terminal does not.
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.5, _thread.interrupt_main).start()
try:
    next(ask_concurrently(items, Silent(), Generation(), None, 2))
except KeyboardInterrupt:
    print("stopped")
"""


def test_an_interrupt_that_wakes_nobody_is_heard() -> None:
    # As where another thread gets the signal, or it comes just before a wait for answers begins.
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, timeout=180)
    assert done.stdout == "stopped\n", done.stderr
    assert time.monotonic() - start < 60
