"""The line says how a recording gets on; on a terminal it is rewritten."""

import io

from bpfexit.model.losses import Lost
from bpfexit.ui.progress import Progress, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line() -> None:
    assert progress(3723.9, 1234567, 850, Lost()) == (
        "1:02:03  1,234,567 counted  850 B  lost: nothing"
    )
    assert progress(0, 0, 12_400_000, Lost(map_full=3, missed=1)) == (
        "0:00:00  0 counted  12.4 MB  lost: map_full 3, missed 1"
    )


def test_in_a_log_there_is_a_line_a_minute() -> None:
    log = io.StringIO()
    shown = Progress(log, alone=True)
    for second in range(121):
        shown.show(second, f"{second}")
    shown.end("end")
    assert log.getvalue() == "bpfexit: 60\nbpfexit: 120\nbpfexit: end\n"


def test_on_a_terminal_it_is_rewritten_unless_a_command_prints_there() -> None:
    alone, shared = Terminal(), Terminal()
    for stream in (alone, shared):
        shown = Progress(stream, alone=stream is alone)
        shown.show(1, "one")
        shown.end("end", "of it")
    assert alone.getvalue() == "\r\x1b[Kone\r\x1b[Kbpfexit: end\nbpfexit: of it\n"
    assert shared.getvalue() == "bpfexit: end\nbpfexit: of it\n"
