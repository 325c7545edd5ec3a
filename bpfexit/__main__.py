"""The commands `bpfexit` and `python -m bpfexit`: the first of the package that runs."""

import signal


def main() -> None:
    """Run the command line. Ctrl-C ends the process at once, also within an import.

    Python would raise KeyboardInterrupt anywhere and print a traceback. Commands that
    have something to clean up handle the signal themselves.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bpfexit import cli  # noqa: PLC0415 - late: it takes a while

    cli.main()


if __name__ == "__main__":
    main()
