"""The guest's catalogue and results, as tables and as JSON. Pure."""

from typing import Any

from rich.table import Table

from bpfexit.testguest.mix import MIXES, OPERATIONS, Mix, Step
from bpfexit.testguest.session import Result, VcpuResult

Document = dict[str, Any]

SCHEMA = "bpfexit.testguest/2"


def ready_document(pid: int, tids: list[int]) -> Document:
    """Return the line that identifies the guest to a tracer before it runs."""
    vcpus = [{"vcpu": index, "tid": tid} for index, tid in enumerate(tids)]
    return {"schema": SCHEMA, "about": "ready", "pid": pid, "vcpus": vcpus}


def result_document(mix: Mix, result: Result) -> Document:
    """Return the result with every vCPU's counts; addresses are numbers, times are seconds."""
    return {
        "schema": SCHEMA,
        "about": "result",
        "pid": result.pid,
        "vcpus": [vcpu_document(mix, vcpu) for vcpu in result.vcpus],
        "duration_s": result.duration_s,
    }


def result_table(mix: Mix, result: Result) -> Table:
    """Return one row per step of the mix, the vCPUs summed."""
    table = _table("operation", "address", "instruction", "served by")
    table.add_column("exits", justify="right")
    sums = [sum(column) for column in zip(*(vcpu.exits for vcpu in result.vcpus), strict=True)]
    for step, exits in zip(mix, sums, strict=True):
        operation = step.operation
        row = (operation.name, _address(step.address), step.instruction, operation.served)
        table.add_row(*row, f"{exits:,}")
    return table


def summary(result: Result) -> str:
    """Return the exits, the time and the rate in one sentence."""
    rate = result.exits / result.duration_s if result.duration_s else 0.0
    vcpus = f"{len(result.vcpus)} vCPU" + ("s" if len(result.vcpus) > 1 else "")
    return f"{result.exits:,} exits by {vcpus} in {result.duration_s:.3f} s: {rate:,.0f}/s"


def operations_table() -> Table:
    """Return the operations for mixes."""
    table = _table("operation", "instruction", "served by", "note")
    for operation in OPERATIONS.values():
        step = Step(operation, operation.address, 1)
        table.add_row(operation.name, step.instruction, operation.served, operation.note)
    return table


def mixes_table() -> Table:
    """Return the named mixes."""
    table = _table("mix")
    table.add_column("operations and weights", overflow="fold")
    for name, text in MIXES.items():
        table.add_row(name, text)
    return table


def vcpu_document(mix: Mix, vcpu: VcpuResult) -> Document:
    """Return one vCPU's part of the result."""
    operations = [_step_document(*pair) for pair in zip(mix, vcpu.exits, strict=True)]
    return {
        "vcpu": vcpu.vcpu,
        "tid": vcpu.tid,
        "operations": operations,
        "control_exits": vcpu.control_exits,
    }


def _step_document(step: Step, exits: int) -> Document:
    operation = step.operation
    return {
        "op": operation.name,
        "kind": operation.kind,
        "access": operation.access,
        "address": step.address,
        "size": operation.size,
        "served": operation.served,
        "count": exits,
    }


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _address(address: int | None) -> str:
    return "" if address is None else f"{address:#x}"
