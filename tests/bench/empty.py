"""The programs that bpfexit would attach here, each of which does nothing: no tracer costs less.

`python -m tests.bench.empty` attaches them until Ctrl-C.
"""

import signal
from contextlib import suppress

from bpfexit.host import preflight
from bpfexit.model.filter import Filter
from bpfexit.tracer.attaching import attach, kind_of
from bpfexit.tracer.compiling import compile_text
from bpfexit.tracer.host_plan import host_plan
from bpfexit.tracer.libbpf import open_libbpf
from bpfexit.tracer.plan import Attachment

_ROOM = 1  # rows and vCPUs: there are no maps


def main() -> None:
    """Load, attach, say so, and wait."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ready = preflight.ready()
    plan = host_plan(ready.backend, ready.tracefs, _ROOM, _ROOM, Filter())
    library = open_libbpf()
    compiled = compile_text("\n".join(map(_program, plan.attachments))).programs
    for each in plan.attachments:
        kind, instructions = kind_of(each), compiled[f"on_{each.event}"].instructions
        program = library.load_program(each.event, kind, instructions)
        attach(library, each, program, ready.tracefs)
    print("attached", ", ".join(map(_how, plan.attachments)), flush=True)
    with suppress(KeyboardInterrupt):
        signal.pause()


def _program(each: Attachment) -> str:
    return f"int on_{each.event}(void *ctx) {{ return 1; }}"


def _how(each: Attachment) -> str:
    return f"{each.event} ({'classic' if each.classic else 'raw'})"


if __name__ == "__main__":
    main()
