"""`bpfexit.diagnosis/2`: a diagnosis as JSON lines.

The first is about all guests (`about` is `all`). Then follow, for each guest, one about the guest
(`guest`), and one per `finding`, per `hint` about its command line and per thing that is
`expected`, by cost. Times are ns; rates and costs are per second; an unknown value is null. Fields
may be added; none changes its meaning.
"""

from collections.abc import Iterator
from dataclasses import asdict
from math import nan
from typing import Any

from bpfexit.advice.coverage import SHARE
from bpfexit.advice.diagnosis import Diagnosis, GuestDiagnosis, VcpuTime
from bpfexit.advice.finding import Change, Finding
from bpfexit.formats.json import origin as origin_json
from bpfexit.formats.json import usage as usage_json
from bpfexit.formats.json.fields import number, numbers, target, vcpu
from bpfexit.formats.json.text import line_of
from bpfexit.model.columns import COLUMNS
from bpfexit.model.lines import Line

SCHEMA = "bpfexit.diagnosis/2"


def encode(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the lines in pieces: the evidence of a finding may be 200,000 addresses."""
    yield line_of(_whole(diagnosis)) + "\n"
    for guest in diagnosis.guests:
        yield line_of(_guest(guest)) + "\n"
        parts = (("finding", guest.findings), ("hint", guest.hints), ("expected", guest.expected))
        for about, findings in parts:
            for finding in findings:
                yield from _finding_pieces(finding, {"about": about, **_owner(guest)})


def _finding_pieces(finding: Finding, about: dict[str, Any]) -> Iterator[str]:
    yield line_of({"schema": SCHEMA, **about, **_finding(finding)}).removesuffix("}")
    yield ',"evidence":['
    for index, line in enumerate(finding.lines):
        yield "," * bool(index) + line_of(_line(line))
    yield "]}\n"


def _whole(diagnosis: Diagnosis) -> dict[str, Any]:
    snapshot = diagnosis.snapshot
    return {
        "schema": SCHEMA,
        "about": "all",
        "start": snapshot.start,
        "duration_s": snapshot.duration_s,
        **origin_json.document(snapshot.origin),
        "guests": len(diagnosis.guests),
        "exits": snapshot.exits,
        "lost": asdict(snapshot.lost),
    }


def _owner(guest: GuestDiagnosis) -> dict[str, Any]:
    return {"vm": guest.vm, "pid": guest.guest.pid}


def _guest(guest: GuestDiagnosis) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "about": "guest",
        **_owner(guest),
        "exits": guest.exits,
        "per_s": number(guest.rate),
        "verdict": guest.verdict.value,
        "findings": [finding.rule for finding in guest.findings],
        "unexplained_share": number(guest.unexplained.share),
        "unexplained": [_line(line) for line in guest.unexplained.lines],
        "vcpus": [_vcpu(time) for time in guest.vcpus],
        "usage": None if guest.usage is None else usage_json.guest_document(guest.usage),
    }


def _vcpu(time: VcpuTime) -> dict[str, Any]:
    return {
        "vcpu": vcpu(time.vcpu),
        "tid": time.tid,
        "guest_ns": time.guest,
        "exits_ns": time.exits,
        "kvm_ns": time.kvm,
        "user_ns": time.user,
        "wait_ns": time.wait,
        "idle_ns": time.idle,
        "exits_or_idle_ns": time.unclear,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    advice = finding.advice
    return {
        "rule": finding.rule,
        "title": advice.title,
        "cost_ns_per_s": number(finding.cost),
        "cost_of": finding.cost_of.value,
        "vcpu_share": number(finding.share),
        "per_s": number(finding.exits.rate),
        "context": list(advice.context),
        "cause": advice.cause or finding.why,
        "candidates": [asdict(candidate) for candidate in advice.candidates],
        "fixes": [_fix(change) for change in advice.changes],
        "expect": advice.expect,
        "confidence": None if advice.expected else advice.confidence.value,
        "rationale": advice.rationale,
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
        **target(line),
        "vcpu_share": number(line.numbers.get(SHARE, nan)),
        **numbers(line, COLUMNS),
    }
