# SPDX-License-Identifier: Apache-2.0
"""What a reader of results must know: failures, warnings, and checks that say that a figure is suspicious."""

from dataclasses import dataclass, field
from typing import Any

import documents
from measurements import DIRECTIONS, label_of


@dataclass
class Finding:
    """The same thing, found in one or more places."""

    remedy: str
    failure: bool
    places: list[tuple[str, str]] = field(default_factory=list)  # where, and what was found there


def findings_of(sources: dict[str, dict[str, Any]]) -> list[Finding]:
    """Of all documents, failures first."""
    found: dict[tuple, Finding] = {}

    def add(where: str, what: str, code: str = "", remedy: str = "", failure: bool = False) -> None:
        finding = found.setdefault((failure, code or what, remedy), Finding(remedy, failure))
        if (where, what) not in finding.places:
            finding.places.append((where, what))

    for name, document in sources.items():
        if not documents.says_its_modes(document):
            add(name, documents.MODE_UNSAID)
        for warning in (document.get("metadata") or {}).get("warnings") or []:
            add(name, warning["cause"], warning.get("code", ""), warning.get("remedy", ""))
        for text in document.get("warnings") or []:  # of the plugin
            add(name, str(text))
        for error in document.get("errors") or []:
            add(name, str(error.get("error")), failure=True)
        for result in document["results"]:
            where = f"{name}: {label_of(result)}"
            reason = documents.failure_of(result)
            if reason is not None:
                add(where, f"failed: {reason}", failure=True)
            warned = set()
            for warning in result.get("warnings") or []:
                warned.add(warning.get("code"))
                add(where, warning["cause"], warning.get("code", ""), warning.get("remedy", ""))
            for direction, direction_name in DIRECTIONS.items():
                for check in (result.get(f"{direction}_results") or {}).get("audit") or []:
                    # A suspicious check has a warning of its own, which says more.
                    if check.get("verdict") == "suspicious" and check["id"] not in warned:
                        value = check.get("value")
                        text = f"{value:.4g}" if isinstance(value, float) else str(value)
                        what = f"{direction_name.lower()}: {check['id']} is {text}; expected: {check['expectation']}"
                        add(where, what, check["id"])
    return sorted(found.values(), key=lambda finding: not finding.failure)
