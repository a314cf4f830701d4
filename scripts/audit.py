"""Asks whether a pinned package has a known vulnerability: ``python scripts/audit.py``.

In: constraints.txt, through pip-audit. Out: a verdict and its exit status,

    0  clean: every package was looked up, and none has a known vulnerability
    1  vulnerable: the packages and what repairs them are listed
    3  not run: the service did not answer, or a package was skipped

pip-audit ends with 0 and "No known vulnerabilities found" also when it could look up
nothing at all; so its report is read, and a run that skipped a package is no run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CLEAN, VULNERABLE, NOT_RUN = 0, 1, 3
#: Names shown of those that were skipped.
SHOWN = 5


def judge(report: str, pinned: int) -> tuple[int, list[str]]:
    """Return the verdict on a report of pip-audit, and lines for people.

    Parameters
    ----------
    report : str
        What ``pip-audit --format json`` wrote.
    pinned : int
        How many packages it was asked about.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return NOT_RUN, ["not run: pip-audit wrote no report"]
    lines = [
        f"{package['name']} {package['version']}: {found['id']}, "
        f"repaired in {', '.join(found.get('fix_versions', ())) or 'no version yet'}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    if lines:
        return VULNERABLE, lines
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    looked_up = len(packages) - len(skipped)
    if skipped or looked_up < pinned:
        names = ", ".join(skipped[:SHOWN]) + (" ..." if len(skipped) > SHOWN else "")
        return NOT_RUN, [f"not run: {looked_up} of {pinned} packages were looked up ({names})"]
    return CLEAN, [f"clean: {looked_up} packages were looked up, no known vulnerability"]


def pins(text: str) -> int:
    """Return how many packages a file of constraints pins."""
    return sum("==" in line.partition("#")[0] for line in text.splitlines())


def main() -> int:
    """Run pip-audit over the constraints and tell the verdict."""
    path = ROOT / "constraints.txt"
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(path), "--no-deps",
        "--disable-pip", "--format", "json", "--progress-spinner", "off",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    verdict, lines = judge(done.stdout, pins(path.read_text(encoding="utf-8")))
    print("\n".join(lines))
    if verdict == NOT_RUN and done.returncode:
        print(done.stderr.strip()[-1000:], file=sys.stderr)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
