"""`bpfexit.diagnosis/2`: a diagnosis as JSON lines.

The first is on the whole (`about` `all`); then for each guest one on the guest
(`guest`) and one for each `finding`, each `hint` of the command line and each thing
that is `expected`, in the order of their cost. Times are ns, rates and costs those of a
second; what is not known is null. Fields may be added; none changes its meaning.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite, nan
from typing import Any

from bpfexit.advice.coverage import SHARE
from bpfexit.advice.diagnosis import Diagnosis, GuestDiagnosis, VcpuTime
from bpfexit.advice.finding import Change, Finding
from bpfexit.events.access import Access
from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.names import named
from bpfexit.model.columns import COLUMNS
from bpfexit.model.lines import Line
from bpfexit.model.rows import NO_VCPU

SCHEMA = "bpfexit.diagnosis/2"


def encode(found: Diagnosis) -> Iterator[str]:
    """Yield the lines in pieces: the evidence of a finding may be 200,000 addresses."""
    yield _json(_whole(found)) + "\n"
    for guest in found.guests:
        yield _json(_guest(guest)) + "\n"
        told = (("finding", guest.findings), ("hint", guest.hints), ("expected", guest.expected))
        for about, findings in told:
            for finding in findings:
                yield from _finding_pieces(finding, {"about": about, **_owner(guest)})


def _finding_pieces(finding: Finding, about: dict[str, Any]) -> Iterator[str]:
    yield _json({"schema": SCHEMA, **about, **_finding(finding)}).removesuffix("}")
    yield ',"evidence":['
    for number, line in enumerate(finding.lines):
        yield "," * bool(number) + _json(_line(line))
    yield "]}\n"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _whole(found: Diagnosis) -> dict[str, Any]:
    snapshot = found.snapshot
    return {
        "schema": SCHEMA,
        "about": "all",
        "start": snapshot.start,
        "duration_s": snapshot.duration_s,
        **origin_json.document(snapshot.origin),
        "guests": len(found.guests),
        "exits": snapshot.exits,
        "lost": asdict(snapshot.lost),
    }


def _owner(found: GuestDiagnosis) -> dict[str, Any]:
    return {"vm": found.vm, "pid": found.guest.pid}


def _guest(found: GuestDiagnosis) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "about": "guest",
        **_owner(found),
        "exits": found.exits,
        "per_s": _number(found.per_s),
        "verdict": found.verdict.value,
        "findings": [finding.rule for finding in found.findings],
        "unexplained_share": _number(found.unexplained.share),
        "unexplained": [_line(line) for line in found.unexplained.lines],
        "vcpus": [_vcpu(each) for each in found.vcpus],
    }


def _vcpu(each: VcpuTime) -> dict[str, Any]:
    return {
        "vcpu": None if each.vcpu == NO_VCPU else each.vcpu,
        "tid": each.tid,
        "guest_ns": each.guest,
        "exits_ns": each.exits,
        "user_ns": each.user,
        "idle_ns": each.idle,
        "exits_or_idle_ns": each.unclear,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    advice = finding.advice
    return {
        "rule": finding.rule,
        "title": advice.title,
        "cost_ns_per_s": _number(finding.cost),
        "cost_of": finding.cost_of.value,
        "vcpu_share": _number(finding.share),
        "per_s": _number(finding.exits.per_s),
        "context": list(advice.context),
        "cause": advice.cause or finding.why,
        "candidates": [asdict(each) for each in advice.candidates],
        "fixes": [_fix(each) for each in advice.changes],
        "expect": advice.expect,
        "confidence": None if advice.expected else advice.confidence.value,
        "rationale": advice.because,
        "references": list(finding.references),
    }


def _fix(change: Change) -> dict[str, str]:
    return {
        "where": change.where.value,
        "text": change.text,
        "takes": change.takes.value,
        "keep": change.keep,
        "since": change.since,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "reason": line.reason,
        "kind": line.kind.json_name,
        "access": None if line.access is Access.NONE else line.access.name.lower(),
        "address": line.address,
        **named(line.name),
        "vcpu_share": _number(line.numbers.get(SHARE, nan)),
        **{each.json_name: _number(line.numbers[each.key]) for each in COLUMNS},
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
