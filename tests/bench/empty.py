"""The programs that bpfexit would attach here, each of which does nothing: no tracer costs less.

`python -m tests.bench.empty` attaches them until Ctrl-C.
"""

import signal

from bpfexit.host import preflight
from bpfexit.model.filter import Filter
from bpfexit.tracer.attaching import attach
from bpfexit.tracer.binding import import_bcc
from bpfexit.tracer.compiler import shielded
from bpfexit.tracer.host_plan import host_plan
from bpfexit.tracer.plan import Attachment

_ROOM = 1  # rows and vCPUs: there are no maps


def main() -> None:
    """Load, attach, say so, and wait."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ready = preflight.ready()
    plan = host_plan(ready.backend, ready.tracefs, _ROOM, _ROOM, Filter())
    with shielded():
        bpf = import_bcc().BPF(text="\n".join(map(_program, plan.attachments)))
    for each in plan.attachments:
        attach(bpf, each)
    print("attached", ", ".join(map(_how, plan.attachments)), flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        bpf.cleanup()


def _program(each: Attachment) -> str:
    return f"int on_{each.event}(void *ctx) {{ return 1; }}"


def _how(each: Attachment) -> str:
    return f"{each.event} ({'classic' if each.classic else 'raw'})"


if __name__ == "__main__":
    main()
