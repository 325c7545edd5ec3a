"""A guest of one program, kept to the lines of `bpfexit testguest --json --wait --linger`."""

import json
import os
import sys

from bpfexit.testguest import report
from bpfexit.testguest.machine import Machine
from bpfexit.testguest.program import Program
from bpfexit.testguest.session import Pace, Session


def run_once(program: Program) -> None:
    """Run it once, at a line on stdin; stay until stdin ends."""
    with Machine([program]) as machine, Session(machine.vcpus, Pace()) as session:
        print(json.dumps(report.ready_document(os.getpid(), session.tids)), flush=True)
        sys.stdin.readline()
        session.run()
        vcpus = [{"vcpu": 0, "tid": session.tids[0], "operations": []}]
        print(json.dumps({"pid": os.getpid(), "vcpus": vcpus}), flush=True)
        sys.stdin.read()
