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
from bpfexit.ui.usage import usage_line

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


def diagnosis(result: Diagnosis) -> RenderableType:
    """Return all of it: guests with findings in full, the others in a line each."""
    snapshot = result.snapshot
    parts: list[RenderableType] = [origin_line(snapshot), totals_line(snapshot), lost(snapshot)]
    parts += without_exits(snapshot)
    full = [guest for guest in result.guests if guest.findings]
    rest = [guest for guest in result.guests if not guest.findings]
    for guest in full or rest[:1]:
        parts += ["", _guest(guest)]
    others = rest if full else rest[1:]
    if others:
        parts += ["", Text("nothing stands out", "bold")]
        parts += [line for guest in others for line in _brief(guest)]
    if not result.guests:
        parts += ["", Text("no guest seen", "bold")]
    return Group(*parts)


def _guest(guest: GuestDiagnosis) -> RenderableType:
    parts: list[RenderableType] = [_name(guest), *_account(guest)]
    if guest.usage:
        usage = usage_line(guest.usage)
        usage.stylize("dim")
        parts.append(usage)
    if guest.findings and (unknown := _unknown(guest)):
        parts.append(Text(unknown, "yellow"))
    for number, finding in enumerate(guest.findings, 1):
        parts += ["", _finding(number, finding)]
    parts += _rest(guest)
    for number, finding in enumerate(guest.hints, 1):
        parts += ["", _finding(number, finding)]
    parts += [""] * bool(guest.expected)
    parts += [_expected(finding) for finding in guest.expected]
    findings = (*guest.findings, *guest.expected)
    seen = [line for finding in findings for line in finding.lines[:MOST_LINES]]
    seen += guest.unexplained.lines
    parts += [Text(note, "dim") for note in _named_by(guest.guest, seen)]
    return Group(*parts)


def _named_by(guest: Guest, lines: Sequence[Line]) -> list[str]:
    """Return who gave the names; only QEMU and libvirt may be asked for those of a guest."""
    names = [line.name for line in lines if line.name]
    if is_qemu(guest) or not any(name.is_guess for name in names):
        return named_by(lines)
    return ['"?": guessed from the usual layout']


def _unknown(guest: GuestDiagnosis) -> str:
    """Return what is not known of the guest's program; "" where that is known."""
    if not is_known(guest.guest):
        return _NO_VMM
    return _BLIND if is_qemu(guest.guest) and not guest.guest.options else ""


def _name(guest: GuestDiagnosis) -> Text:
    name = clean(guest.vm) or "unnamed"
    text = Text(name, "bold reverse")
    rest = [] if name == f"pid:{guest.guest.pid}" else [f"pid {guest.guest.pid}"]
    rest += [f"{numbers.rate(guest.rate)}/s", *(["ended"] if guest.guest.ended else [])]
    return text.append(f"  {', '.join(rest)}", "not bold not reverse")


def _account(guest: GuestDiagnosis) -> Iterator[Text]:
    """Yield a line on the time of each vCPU, the one with most time in exits first."""
    vcpus = sorted(guest.vcpus, key=lambda vcpu: (-(vcpu.exits or 0), -vcpu.user, vcpu.vcpu))
    for vcpu in vcpus[:MOST_VCPUS]:
        name = f"vCPU {vcpu.vcpu}" if vcpu.vcpu != NO_VCPU else f"tid {vcpu.tid}"
        yield Text(f"{name}: {_time(vcpu)}", "dim", no_wrap=True, overflow="ellipsis")
    if len(vcpus) > MOST_VCPUS:
        yield Text(f"{len(vcpus) - MOST_VCPUS} more vCPUs with less time in exits", "dim")


def _time(vcpu: VcpuTime) -> str:
    def share(ns: float | None) -> str:
        return numbers.share(ns / vcpu.total) if ns is not None and vcpu.total else "?"

    if vcpu.guest is None:
        return f"in user space {share(vcpu.user)}%, the rest is unknown"
    if vcpu.unclear:
        return (
            f"guest {share(vcpu.guest)}%, other exits {share(vcpu.exits)}%, "
            f"exits or idle {share(vcpu.unclear)}%"
        )
    waiting = "unknown" if vcpu.wait is None else f"{share(vcpu.wait)}%"
    return (
        f"guest {share(vcpu.guest)}%, KVM {share(vcpu.kvm)}%, user space {share(vcpu.user)}%, "
        f"waiting {waiting}, idle {share(vcpu.idle)}%"
    )


_WHY = {
    Verdict.BUSY: "the guest is busy with its own work: look inside it",
    Verdict.IDLE: "the guest is idle",
    Verdict.MIXED: "no rule found exits over its threshold",
    Verdict.UNKNOWN: "no rule found exits over its threshold",
}


def _rest(guest: GuestDiagnosis) -> Iterator[RenderableType]:
    """Yield what no finding explains: its share, and a line for each reason that is worth one."""
    named = any(finding.rule == "unexplained" for finding in guest.findings)
    lines = () if named else guest.unexplained.lines
    share = guest.unexplained.share
    left = "" if isnan(share) else f"{numbers.share(share)}% of the busiest vCPU's time"
    if not guest.findings:
        also = f"; {left} is unexplained" if left else ""
        yield Text(f"nothing stands out{also}: {_WHY[guest.verdict]}")
    elif lines:
        yield ""
    if lines:
        yield Text(f"no rule knows more{f', {left} in all' if left else ''}:", "dim")
    for line in lines:
        yield Paragraph(Text(""), _seen_line(line), 2)


def _brief(guest: GuestDiagnosis) -> Iterator[RenderableType]:
    """Yield a line on a guest without findings, and one for what no rule knows."""
    text = _name(guest)
    text.stylize("not bold not reverse")
    words = {Verdict.BUSY: "simply busy", Verdict.IDLE: "idle"}
    yield text.append(f", {words[guest.verdict]}" if guest.verdict in words else "")
    for line in guest.unexplained.lines:
        yield Paragraph(Text(""), Text("no rule knows more: ").append(_seen_line(line)), 2)


def _finding(number: int, finding: Finding) -> RenderableType:
    title = Text(f"{finding.advice.title}: {_cost(finding)}", "bold")
    parts = [Paragraph(Text(str(number), "bold"), title, _INDENT)]
    parts += [Paragraph(Text(label, "dim"), text, _INDENT) for label, text in _paragraphs(finding)]
    return Group(*parts)


def _paragraphs(finding: Finding) -> Iterator[tuple[str, Text]]:
    advice = finding.advice
    yield "evidence", Text("\n").join(_seen(finding))
    for line in advice.context:
        yield "", Text(clean(line, _LONG), "dim")
    yield "cause", Text(advice.cause or finding.why)
    for label, text in zip(_labels("either"), _candidates(advice), strict=False):
        yield label, Text(clean(text, _LONG))
    for label, change in zip(_labels("fix"), advice.changes, strict=False):
        yield label, _change(change)
    yield "expect", Text(advice.expect)
    sure = Text.assemble(
        (advice.confidence.value, _SURE[advice.confidence]), f": {clean(advice.rationale, _LONG)}"
    )
    yield "confidence", sure
    pages = "\n".join((f"--explain {finding.rule}", *finding.references))
    yield "references", Text(pages, "dim")


def _candidates(advice: Advice) -> list[str]:
    """Return each cause and what decides, which is last and once if it is the same for all."""
    causes = [candidate.cause for candidate in advice.candidates]
    deciding = [candidate.decided_by for candidate in advice.candidates]
    if len(set(deciding)) == 1:
        return [*causes, f"what decides: {deciding[0]}"]
    pairs = zip(causes, deciding, strict=True)
    return [f"{cause} (what decides: {decided_by})" for cause, decided_by in pairs]


def _labels(first: str) -> Iterator[str]:
    """Yield a label for the first of several paragraphs, and none for the others."""
    return chain((first,), repeat(""))


def _change(change: Change) -> Text:
    text = Text.assemble((f"{change.where}: ", "bold"), clean(change.text, _LONG))
    return text.append(f" [{change.note}]", "dim") if change.note else text


def _cost(finding: Finding) -> str:
    if waiting := finding.advice.waiting:
        part = f"{numbers.share(waiting.share)}% of {waiting.who}"
        return f"{numbers.duration(waiting.ns_per_s)} per second, {part}"
    if finding.is_idle:
        return f"{numbers.rate(finding.exits.rate)}/s"
    if not finding.exits.count:
        return "not measured"
    if isnan(finding.cost):
        return f"{numbers.rate(finding.exits.rate)}/s, time unknown"
    part = f"{numbers.share(finding.share)}% of {vcpu_name(finding.worst)}"
    return f"{numbers.duration(finding.cost)} {_COST[finding.cost_of]}, {part}"


def _seen_line(line: Line) -> Text:
    return reason_or_address(line).append(f": {_numbers(line)}", "default")


def _seen(finding: Finding) -> list[Text]:
    shown = max(MOST_LINES, sum(SHARE in line.numbers for line in finding.lines))
    waiting = finding.advice.waiting
    waits = [Text(f"{waiting.who}: waiting {numbers.share(waiting.share)}%")] if waiting else []
    lines = waits + [_seen_line(line) for line in finding.lines[:shown]]
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
