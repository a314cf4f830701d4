"""The audit's verdict: a run that skipped a package counts as not run, never as clean."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

AUDIT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "audit.py"))
CLEAN, VULNERABLE, NOT_RUN = AUDIT["CLEAN"], AUDIT["VULNERABLE"], AUDIT["NOT_RUN"]

GOOD = {"name": "click", "version": "8.5.1", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI"}
BAD = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}


@pytest.mark.parametrize(
    ("packages", "pinned", "verdict", "words"),
    [
        ([GOOD], 1, CLEAN, "clean: 1 packages"),
        ([GOOD, SKIPPED], 2, NOT_RUN, "1 of 2 packages were looked up (torch)"),
        ([SKIPPED] * 9, 9, NOT_RUN, "torch, torch, torch, torch, torch ..."),
        ([GOOD], 2, NOT_RUN, "1 of 2"),
        ([], 3, NOT_RUN, "0 of 3"),
        ([GOOD, SKIPPED, BAD], 3, VULNERABLE, "pillow 1.0: CVE-1, repaired in 1.1"),
    ],
)
def test_the_verdict(packages, pinned, verdict, words):
    found, lines = AUDIT["judge"](json.dumps({"dependencies": packages}), pinned)
    assert (found, words in "\n".join(lines)) == (verdict, True)


@pytest.mark.parametrize("report", ["", "[]", "{}", "no network"])
def test_no_report_is_no_run(report):
    assert AUDIT["judge"](report, 1)[0] == NOT_RUN


def test_pins_are_counted_without_remarks():
    assert AUDIT["pins"]("# a==1\nclick==8.5.1\n\nnumpy>=1\ntorch==2  # b==3\n") == 2
