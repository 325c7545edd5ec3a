"""`python -m tests.testbed`: fetch kernels, run commands inside."""

import argparse
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.testbed import bochs_disks, kernels
from tests.testbed.hosts import HOSTS, SVM, VMX
from tests.testbed.waiting import waiting


def main() -> int:
    """Parse the command line and do what it says; return the exit status."""
    arguments = _parser().parse_args()
    # As an exception, so that the guest is ended too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return _fetch(arguments) if arguments.action == "fetch" else _run(arguments)
    except kernels.TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 125


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.testbed", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    fetch = actions.add_parser("fetch", help="download kernels that are not there yet")
    fetch.add_argument("--host", choices=HOSTS, default=SVM.name, help="with what it boots from")
    fetch.add_argument("suite", nargs="+", choices=kernels.SUITES)
    run = actions.add_parser("run", help="boot a kernel and run a command inside, as root")
    run.add_argument("--kernel", choices=kernels.SUITES, default=kernels.DEFAULT_SUITE)
    run.add_argument("--host", choices=HOSTS, default=SVM.name, help="whose KVM it has")
    for_svm = run.add_argument_group("for svm; vmx has one CPU, 2 GiB and 10 ns an instruction")
    unset = argparse.SUPPRESS
    for_svm.add_argument(
        "--icount", action="store_true", default=unset, help="one CPU, 1 ns an instruction"
    )
    for_svm.add_argument("--cpus", type=int, default=unset)
    for_svm.add_argument("--memory", default=unset)
    run.add_argument(
        "--tty",
        action="store_true",
        help="give the command a terminal of this one's size: it shows here, but gets no keys",
    )
    run.add_argument("--timeout", type=float, default=1800, help="seconds, boot included")
    run.add_argument("command", nargs="+", metavar="COMMAND", help="after --")
    return parser


def _fetch(arguments: argparse.Namespace) -> int:
    if arguments.host == VMX.name:
        print(f"root: {bochs_disks.base_disk().stem}", flush=True)
    for suite in arguments.suite:
        print(f"{suite}: {kernels.fetch(suite).release}", flush=True)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    given = vars(arguments)
    options = {name: given[name] for name in ("cpus", "memory", "icount") if name in given}
    if options and arguments.host != SVM.name:
        raise kernels.TestbedError(f"--{next(iter(options))} is for the host {SVM.name} only")
    kernel = kernels.fetch(arguments.kernel)

    def show(text: str) -> None:
        booted()  # from now on, the command speaks
        _print(text)

    with (
        tempfile.TemporaryDirectory(prefix="bpfexit-testbed-") as share,
        waiting(kernel.release, _tell) as booted,
    ):
        result = HOSTS[arguments.host].boot(
            kernel,
            _in_terminal(arguments.command) if arguments.tty else arguments.command,
            share=Path(share),
            timeout=arguments.timeout,
            on_output=show,
            **options,
        )
    sys.stderr.write(result.stderr)
    return result.status


def _in_terminal(command: list[str]) -> str:
    """Return a script that runs the command in a terminal inside, as large as the one here."""
    columns, lines = shutil.get_terminal_size()
    sized = f"stty rows {lines} cols {columns}; exec {shlex.join(command)}"
    terminal = ["script", "--quiet", "--return", "--flush", "--command", sized, "/dev/null"]
    return f"export TERM=xterm-256color\n{shlex.join(terminal)}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
