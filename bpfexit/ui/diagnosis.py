"""A diagnosis as rich renderables: the account of time, then the findings. No I/O.

Every text that comes from a guest or a file goes through `clean` into a `Text`.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from math import isnan, nan

from rich.console import Group, RenderableType
from rich.text import Text

from bpfexit.advice.coverage import SHARE, vcpu_name
from bpfexit.advice.diagnosis import Diagnosis, GuestDiagnosis, VcpuTime, Verdict
from bpfexit.advice.finding import Advice, Change, Confidence, CostOf, Finding
from bpfexit.advice.vmm import is_known, is_qemu
from bpfexit.model import numbers
from bpfexit.model.guest import Guest
from bpfexit.model.lines import Line
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.text import clean
from bpfexit.ui.header import lost, origin_line, totals_line, without_exits
from bpfexit.ui.labels import named_by, reason_or_address
from bpfexit.ui.paragraph import Paragraph

MOST_LINES = 4
"""Reasons and addresses of a finding that are shown; JSON has all."""
MOST_VCPUS = 8
"""vCPUs of a guest whose time is shown, those with most time in exits; JSON has all."""
_LONG = 4096
_INDENT = 12
_BLIND = "QEMU options unknown; some of these may already be set"
_NO_VMM = "the program that runs this guest is unknown, so no option of it is advised"

_SURE = {Confidence.HIGH: "green", Confidence.MEDIUM: "yellow", Confidence.LOW: "red"}
_COST = {CostOf.EXITS: "per second", CostOf.USER: "per second in user space"}


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
        parts += ["", Text("nothing stands out", "bold")]
        parts += [line for guest in others for line in _brief(guest)]
    if not found.guests:
        parts += ["", Text("no guest seen", "bold")]
    return Group(*parts)


def _guest(found: GuestDiagnosis) -> RenderableType:
    parts: list[RenderableType] = [_name(found), *_account(found)]
    if found.findings and (unknown := _unknown(found)):
        parts.append(Text(unknown, "yellow"))
    for number, finding in enumerate(found.findings, 1):
        parts += ["", _finding(number, finding)]
    parts += _rest(found)
    for number, finding in enumerate(found.hints, 1):
        parts += ["", _finding(number, finding)]
    parts += [""] * bool(found.expected)
    parts += [_expected(finding) for finding in found.expected]
    told = (*found.findings, *found.expected)
    seen = [line for each in told for line in each.lines[:MOST_LINES]]
    seen += found.unexplained.lines
    parts += [Text(each, "dim") for each in _named_by(found.guest, seen)]
    return Group(*parts)


def _named_by(guest: Guest, lines: Sequence[Line]) -> list[str]:
    """Return who gave the names; only QEMU and libvirt may be asked for those of a guest."""
    names = [line.name for line in lines if line.name]
    if is_qemu(guest) or not any(name.is_guess for name in names):
        return named_by(lines)
    return ['"?": guessed from the usual layout']


def _unknown(found: GuestDiagnosis) -> str:
    """Return what is not known of the guest's program; "" where that is known."""
    if not is_known(found.guest):
        return _NO_VMM
    return _BLIND if is_qemu(found.guest) and not found.guest.options else ""


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
    if each.unclear:
        return (
            f"guest {share(each.guest)}%, other exits {share(each.exits)}%, "
            f"exits or idle {share(each.unclear)}%"
        )
    return (
        f"guest {share(each.guest)}%, exits {share(each.exits)}% "
        f"(in user space {share(each.user)}%), idle {share(each.idle)}%"
    )


_WHY = {
    Verdict.BUSY: "the guest is busy with its own work: look inside it",
    Verdict.IDLE: "the guest is idle",
    Verdict.MIXED: "no rule found exits over its threshold",
    Verdict.UNKNOWN: "no rule found exits over its threshold",
}


def _rest(found: GuestDiagnosis) -> Iterator[RenderableType]:
    """Yield what no finding explains: its share, and a line for each reason that is worth one."""
    named = any(finding.rule == "unexplained" for finding in found.findings)
    lines = () if named else found.unexplained.lines
    share = found.unexplained.share
    left = "" if isnan(share) else f"{numbers.share(share)}% of the busiest vCPU's time"
    if not found.findings:
        also = f"; {left} is unexplained" if left else ""
        yield Text(f"nothing stands out{also}: {_WHY[found.verdict]}")
    elif lines:
        yield ""
    if lines:
        yield Text(f"no rule knows more{f', {left} in all' if left else ''}:", "dim")
    for line in lines:
        yield Paragraph(Text(""), _seen_line(line), 2)


def _brief(found: GuestDiagnosis) -> Iterator[RenderableType]:
    """Yield a line on a guest without findings, and one for what no rule knows."""
    text = _name(found)
    text.stylize("not bold not reverse")
    words = {Verdict.BUSY: "simply busy", Verdict.IDLE: "idle"}
    yield text.append(f", {words[found.verdict]}" if found.verdict in words else "")
    for line in found.unexplained.lines:
        yield Paragraph(Text(""), Text("no rule knows more: ").append(_seen_line(line)), 2)


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
    yield "cause", Text(advice.cause or finding.why)
    for label, told in zip(_labels("either"), _candidates(advice), strict=False):
        yield label, Text(clean(told, _LONG))
    for label, change in zip(_labels("fix"), advice.changes, strict=False):
        yield label, _change(change)
    yield "expect", Text(advice.expect)
    sure = Text.assemble((advice.confidence.value, _SURE[advice.confidence]), f": {advice.because}")
    yield "confidence", sure
    pages = "\n".join((f"--explain {finding.rule}", *finding.references))
    yield "references", Text(pages, "dim")


def _candidates(advice: Advice) -> list[str]:
    """Return each cause and what tells, which stands once at the end where it is the same."""
    tells = {candidate.decided_by for candidate in advice.candidates}
    if len(tells) == 1:
        return [*(each.cause for each in advice.candidates), f"what tells: {tells.pop()}"]
    return [f"{each.cause} (what tells: {each.decided_by})" for each in advice.candidates]


def _labels(first: str) -> Iterator[str]:
    """Yield a label for the first of several paragraphs, and none for the others."""
    return chain((first,), repeat(""))


def _change(change: Change) -> Text:
    text = Text.assemble((f"{change.where}: ", "bold"), clean(change.text, _LONG))
    return text.append(f" [{change.note}]", "dim") if change.note else text


def _cost(finding: Finding) -> str:
    if finding.is_idle:
        return f"{numbers.rate(finding.exits.per_s)}/s"
    if not finding.exits.count:
        return "not measured"
    if isnan(finding.cost):
        return f"{numbers.rate(finding.exits.per_s)}/s, time unknown"
    part = f"{numbers.share(finding.share)}% of {vcpu_name(finding.worst)}"
    return f"{numbers.duration(finding.cost)} {_COST[finding.cost_of]}, {part}"


def _seen_line(line: Line) -> Text:
    return reason_or_address(line).append(f": {_numbers(line)}", "default")


def _seen(finding: Finding) -> list[Text]:
    shown = max(MOST_LINES, sum(SHARE in line.numbers for line in finding.lines))
    lines = [_seen_line(line) for line in finding.lines[:shown]]
    if len(finding.lines) > shown:
        more = finding.lines[shown:]
        rate = numbers.rate(sum(line.numbers["rate"] for line in more))
        lines.append(Text(f"{len(more)} more: {rate}/s", "dim"))
    return lines


def _numbers(line: Line) -> str:
    mean, user, user_mean = (line.numbers[name] for name in ("mean", "user", "user_mean"))
    share = line.numbers.get(SHARE, nan)
    parts = [] if isnan(share) else [f"{numbers.share(share)}% of a vCPU"]
    parts.append(f"{numbers.rate(line.numbers['rate'])}/s")
    if not isnan(mean):
        parts.append(f"{numbers.duration(mean)} each")
    if SHARE in line.numbers and not isnan(line.numbers["p99"]):
        parts.append(f"p99 {numbers.duration(line.numbers['p99'])}")
    if user > 0:
        there = f"{numbers.duration(user_mean)} in user space"
        parts.append(there if user > 0.995 else f"{numbers.share(user)}% of them {there}")
    return ", ".join(parts)


def _expected(finding: Finding) -> Text:
    seen = "; ".join(text.plain for text in _seen(finding))
    return Text.assemble(("expected: ", "green"), f"{seen} ({finding.advice.title})")
