"""Recordings of cases that people reported, and what differs in their twins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bpfexit.advice.diagnosis import GuestDiagnosis, diagnose
from bpfexit.advice.finding import Finding
from bpfexit.model.filter import Filter
from bpfexit.model.rows import Rows
from bpfexit.model.snapshot import Snapshot
from bpfexit.run.session import recorded

CASES = Path(__file__).parents[2] / "data" / "cases"


def recording(name: str) -> Snapshot:
    """Read a case by its name, or by how its name begins if that is one."""
    whole = CASES / f"{name}.jsonl"
    paths = [whole] if whole.exists() else [*CASES.glob(f"{name}*.jsonl")]
    (path,) = paths
    return recorded(path, Filter())


def twin(
    of: Snapshot,
    *,
    facts: dict[str, Any] | None = None,
    options: tuple[tuple[str, str], ...] | None = None,
    guest: dict[str, Any] | None = None,
    rename: dict[str, str] | None = None,
    change: Callable[[Rows], None] | None = None,
    **origin: Any,
) -> Snapshot:
    """Return it with other facts of the host, another command line, guest, reasons or rows."""
    about = dict(guest or {}) | ({} if options is None else {"options": options})
    rows = Rows(of.rows.fields.copy(), of.rows.hist)
    if change:
        change(rows)
    return replace(
        of,
        rows=rows,
        origin=replace(of.origin, facts=replace(of.origin.facts, **(facts or {})), **origin),
        guests=tuple(replace(each, **about) for each in of.guests),
        reasons=tuple((rename or {}).get(name, name) for name in of.reasons),
    )


def diagnosed(of: Snapshot) -> GuestDiagnosis:
    """Return the diagnosis of its one guest."""
    (guest,) = diagnose(of).guests
    return guest


def found(of: Snapshot) -> dict[str, Finding]:
    """Return its findings by rule, in their order."""
    return {finding.rule: finding for finding in diagnosed(of).findings}


def rules(of: Snapshot) -> list[str]:
    return list(found(of))


def fixes(findings: Finding | Iterable[Finding]) -> str:
    """Return all that is advised, in one text."""
    each = [findings] if isinstance(findings, Finding) else findings
    return "\n".join(change.text for finding in each for change in finding.advice.changes)


def causes(finding: Finding) -> str:
    return "\n".join(each.cause for each in finding.advice.candidates)
