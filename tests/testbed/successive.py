"""One thread that runs the vCPU of one guest after another, and speaks as `bpfexit testguest` does.

`python -m tests.testbed.successive MIX TIMES` runs a round of the mix so many times, each in a new
machine, whose vCPU may lie where the one before lay.
"""

import json
import os
import sys
import threading

from bpfexit.testguest import report
from bpfexit.testguest.machine import Machine
from bpfexit.testguest.mix import Mix, parse_mix, total, work_of
from bpfexit.testguest.session import Pace, VcpuResult, assemble_all


def run(mix: Mix) -> tuple[list[int], int]:
    """Run one round in a machine of its own; return the exits by step, and the control exits."""
    with Machine(assemble_all(work_of(mix, total(mix)), 1, Pace())) as machine:
        (vcpu,) = machine.vcpus
        vcpu.run(lambda: None, lambda: None)
        return vcpu.counters(), vcpu.control_exits


def main(text: str, times: int) -> None:
    """Run them at a line on stdin; stay until stdin ends."""
    mix, tid = parse_mix(text), threading.get_native_id()
    print(json.dumps(report.ready_document(os.getpid(), [tid])), flush=True)
    sys.stdin.readline()
    exits, controls = zip(*(run(mix) for _ in range(times)), strict=True)
    sums = tuple(map(sum, zip(*exits, strict=True)))
    result = report.vcpu_document(mix, VcpuResult(0, tid, sums, sum(controls)))
    print(json.dumps({"pid": os.getpid(), "vcpus": [result]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
