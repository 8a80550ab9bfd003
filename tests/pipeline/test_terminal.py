"""What native libraries would write on the terminal stays away from it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

LOAD_DETECTOR = """
import os
from spaceland.objects import detector
SsdFinder = detector.SsdFinder
SsdFinder().detect(__import__("numpy").zeros((64, 64, 3), "uint8"))
with detector._without_info_lines():
    os.write(2, b"INFO: kept away\\nWARNING: passed on\\n")
os.write(2, b"after\\n")
"""
END_WITHIN_POSES = """
import os, signal
from spaceland.pipeline import stages
{before}
stages._quiet_termination()
os.kill(os.getpid(), signal.SIGTERM)
print("handled")
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_the_detectors_runtime_says_nothing_but_warnings() -> None:
    pytest.importorskip("ai_edge_litert", reason="the built-in detector needs the extra detect")
    done = run(LOAD_DETECTOR)
    assert done.returncode == 0 and done.stdout == "" and done.stderr == "WARNING: passed on\nafter\n"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_termination_while_posing_is_quiet_and_leaves_a_programs_own_handler() -> None:
    pytest.importorskip("pycolmap", reason="poses need the extra recon")
    done = run(END_WITHIN_POSES.format(before=""))
    assert done.returncode == -signal.SIGTERM and done.stdout + done.stderr == ""
    done = run(END_WITHIN_POSES.format(before="signal.signal(signal.SIGTERM, lambda *_: print('mine'))"))
    assert done.returncode == 0 and done.stdout.split() == ["mine", "handled"] and done.stderr == ""
