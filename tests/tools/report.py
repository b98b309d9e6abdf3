# SPDX-License-Identifier: Apache-2.0
"""Adds up what all stages of ./dev test reported: test cases where a log names them, otherwise one a program or stage.

Ends with the line `N passed, N failed` (and `, N skipped`), and exits 1 if anything failed or nothing ran.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

CATCH_ALL = re.compile(r"^All tests passed \(.* in (\d+) test cases?\)", re.M)
CATCH_SOME = re.compile(r"^test cases:(.*)$", re.M)
PYTEST = re.compile(r"^=*\s*((?:\d+ [a-z]+(?: [a-z]+)?,? ?)+)in [\d.]+s.*$", re.M)  # also "7 subtests passed"
WORDS = {"passed": "passed", "failed": "failed", "error": "failed", "errors": "failed", "skipped": "skipped"}


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def from_words(text):
    count = Count()
    for number, word in re.findall(r"(\d+) ([a-z]+)", text):
        if word in WORDS:
            setattr(count, WORDS[word], getattr(count, WORDS[word]) + int(number))
    return count


def cases_in(output):
    """What a program's own closing line says, or None where it has none that is known."""
    if found := CATCH_ALL.findall(output):
        return Count(passed=int(found[-1]))
    if found := CATCH_SOME.findall(output):
        return from_words(found[-1])
    if found := PYTEST.findall(output):
        return from_words(found[-1])
    return None


def honest(count, ok):
    """A program that ended badly has failed, whatever it printed before."""
    if not ok and count.failed == 0:
        return count + Count(failed=1)
    return count


def of_testlog(path):
    total = Count()
    for line in path.read_text().splitlines():
        test = json.loads(line)
        result = test["result"]
        if result == "SKIP":
            total += Count(skipped=1)
            continue
        ok = result in ("OK", "EXPECTEDFAIL")
        cases = cases_in(test.get("stdout", "")) or Count(passed=int(ok))
        total += honest(cases, ok)
    return total


def of_stage(folder, status, report):
    path = folder / report
    if not report:
        return Count(passed=int(status == 0), failed=int(status != 0))
    if not path.exists():
        return Count(failed=1)
    count = of_testlog(path) if report.endswith(".testlog.json") else cases_in(path.read_text()) or Count()
    return honest(count, status == 0)


def main():
    folder = Path(sys.argv[1])
    total, seconds = Count(), 0
    print()
    for line in (folder / "stages.tsv").read_text().splitlines():
        name, took, status, report = line.split("\t")
        count = of_stage(folder, int(status), report)
        print(f"{name:24} {int(took):5} s   {count}")
        total += count
        seconds += int(took)
    print(f"{'all':24} {seconds:5} s\n")
    print(total)
    return 1 if total.failed or not total.passed else 0


sys.exit(main())
