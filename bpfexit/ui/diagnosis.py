"""A diagnosis as rich renderables: the account of time, then the findings. No I/O.

Every text that comes from a guest or a file goes through `clean` into a `Text`.
"""

from collections.abc import Iterator
from math import isnan

from rich.console import Group, RenderableType
from rich.text import Text

from bpfexit.advice.diagnosis import Diagnosis, GuestDiagnosis, VcpuTime, Verdict
from bpfexit.advice.finding import Confidence, CostOf, Finding
from bpfexit.model import numbers
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.text import clean
from bpfexit.model.view import Line
from bpfexit.ui.paragraph import Paragraph
from bpfexit.ui.tables import (
    lost,
    named_by,
    origin_line,
    reason_or_address,
    totals_line,
    without_exits,
)

MOST_LINES = 4
"""Reasons and addresses of a finding that are shown; JSON has all."""
MOST_VCPUS = 8
"""vCPUs of a guest whose time is shown, those with most time in exits; JSON has all."""
_LONG = 4096
_INDENT = 12
_BLIND = "QEMU options unknown; some of these may already be set"

_SURE = {Confidence.HIGH: "green", Confidence.MEDIUM: "yellow", Confidence.LOW: "red"}
_COST = {CostOf.EXITS: "per second", CostOf.USER: "per second in user space", CostOf.UNKNOWN: ""}


def diagnosis(found: Diagnosis) -> RenderableType:
    """Return all of it: guests with findings in full, the others in a line each."""
    snapshot = found.snapshot
    parts: list[RenderableType] = [origin_line(snapshot), totals_line(snapshot), lost(snapshot)]
    parts += without_exits(snapshot)
    full = [each for each in found.guests if each.findings]
    rest = [each for each in found.guests if not each.findings]
    for guest in full or rest[:1]:
        parts += ["", _guest(guest)]
    others = rest if full else rest[1:]
    if others:
        parts += ["", Text("nothing stands out", "bold"), *map(_brief, others)]
    if not found.guests:
        parts += ["", Text("no guest seen", "bold")]
    return Group(*parts)


def _guest(found: GuestDiagnosis) -> RenderableType:
    parts: list[RenderableType] = [_name(found), *_account(found)]
    if found.findings and not found.guest.options:
        parts.append(Text(_BLIND, "yellow"))
    for number, finding in enumerate(found.findings, 1):
        parts += ["", _finding(number, finding)]
    if not found.findings:
        parts.append(Text(_nothing(found)))
    parts += [""] * bool(found.expected)
    parts += [_expected(finding) for finding in found.expected]
    seen = [line for each in (*found.findings, *found.expected) for line in each.lines[:MOST_LINES]]
    parts += [Text(each, "dim") for each in named_by(seen)]
    return Group(*parts)


def _name(found: GuestDiagnosis) -> Text:
    name = clean(found.vm) or "unnamed"
    text = Text(name, "bold reverse")
    rest = [] if name == f"pid:{found.guest.pid}" else [f"pid {found.guest.pid}"]
    rest += [f"{numbers.rate(found.per_s)}/s", *(["ended"] if found.guest.ended else [])]
    return text.append(f"  {', '.join(rest)}", "not bold not reverse")


def _account(found: GuestDiagnosis) -> Iterator[Text]:
    """Yield a line on the time of each vCPU, the one with most time in exits first."""
    vcpus = sorted(found.vcpus, key=lambda each: (-(each.exits or 0), -each.user, each.vcpu))
    for each in vcpus[:MOST_VCPUS]:
        name = f"vCPU {each.vcpu}" if each.vcpu != NO_VCPU else f"tid {each.tid}"
        yield Text(f"{name}: {_time(each)}", "dim", no_wrap=True, overflow="ellipsis")
    if len(vcpus) > MOST_VCPUS:
        yield Text(f"{len(vcpus) - MOST_VCPUS} more vCPUs with less time in exits", "dim")


def _time(each: VcpuTime) -> str:
    def share(ns: float | None) -> str:
        return numbers.share(ns / each.total) if ns is not None and each.total else "?"

    if each.guest is None:
        return f"in user space {share(each.user)}%, the rest is unknown"
    return (
        f"guest {share(each.guest)}%, exits {share(each.exits)}% "
        f"(in user space {share(each.user)}%), idle {share(each.idle)}%"
    )


def _nothing(found: GuestDiagnosis) -> str:
    why = {
        Verdict.BUSY: "the guest is busy with its own work: look inside it",
        Verdict.IDLE: "the guest is idle",
        Verdict.MIXED: "no rule found exits over its threshold",
        Verdict.UNKNOWN: "no rule found exits over its threshold",
    }
    return f"nothing stands out: {why[found.verdict]}"


def _brief(found: GuestDiagnosis) -> Text:
    """Return one line on a guest without findings."""
    text = _name(found)
    text.stylize("not bold not reverse")
    words = {Verdict.BUSY: "simply busy", Verdict.IDLE: "idle"}
    return text.append(f", {words[found.verdict]}" if found.verdict in words else "")


def _finding(number: int, finding: Finding) -> RenderableType:
    title = Text(f"{finding.advice.title}: {_cost(finding)}", "bold")
    parts = [Paragraph(Text(str(number), "bold"), title, _INDENT)]
    parts += [Paragraph(Text(label, "dim"), text, _INDENT) for label, text in _paragraphs(finding)]
    return Group(*parts)


def _paragraphs(finding: Finding) -> Iterator[tuple[str, Text]]:
    advice = finding.advice
    yield "evidence", Text("\n").join(_seen(finding))
    for each in advice.context:
        yield "", Text(clean(each, _LONG), "dim")
    yield "cause", Text(finding.why)
    label = "fix"
    for change in advice.changes:
        yield label, Text.assemble((f"{change.where}: ", "bold"), clean(change.text, _LONG))
        label = ""
    yield "expect", Text(advice.expect)
    sure = Text.assemble((advice.confidence.value, _SURE[advice.confidence]), f": {advice.because}")
    yield "confidence", sure
    yield "references", Text(f"--explain {finding.rule}; {'; '.join(finding.references)}", "dim")


def _cost(finding: Finding) -> str:
    if isnan(finding.cost):
        return f"{numbers.rate(finding.exits.per_s)}/s, time unknown"
    return f"{numbers.duration(finding.cost)} {_COST[finding.cost_of]}"


def _seen(finding: Finding) -> list[Text]:
    lines = [
        reason_or_address(line).append(f": {_numbers(line)}", "default")
        for line in finding.lines[:MOST_LINES]
    ]
    if len(finding.lines) > MOST_LINES:
        more = finding.lines[MOST_LINES:]
        rate = numbers.rate(sum(line.numbers["rate"] for line in more))
        lines.append(Text(f"{len(more)} more: {rate}/s", "dim"))
    return lines


def _numbers(line: Line) -> str:
    mean, user, user_mean = (line.numbers[name] for name in ("mean", "user", "user_mean"))
    parts = [f"{numbers.rate(line.numbers['rate'])}/s"]
    if not isnan(mean):
        parts.append(f"{numbers.duration(mean)} each")
    if user > 0:
        there = f"{numbers.duration(user_mean)} in user space"
        parts.append(there if user > 0.995 else f"{numbers.share(user)}% of them {there}")
    return ", ".join(parts)


def _expected(finding: Finding) -> Text:
    seen = "; ".join(text.plain for text in _seen(finding))
    return Text.assemble(("expected: ", "green"), f"{seen} ({finding.advice.title})")
