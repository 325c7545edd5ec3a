"""The file for node_exporter is whole at any time, and goes with the exporter."""

from contextlib import closing
from pathlib import Path

import pytest

from bpfexit.errors import BpfexitError, UsageError
from bpfexit.exporting.collector import registry_of
from bpfexit.exporting.family import Family
from bpfexit.exporting.metrics import READINGS
from bpfexit.exporting.textfile import TextFile

REGISTRY = registry_of(lambda: (Family(READINGS, (((), 7),)),))


def test_it_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "bpfexit.prom"
    path.write_text("old")
    before = path.stat().st_ino
    with closing(TextFile(path)) as file:
        file.write(REGISTRY)
        assert "bpfexit_readings_total 7.0\n" in path.read_text()
        assert path.stat().st_ino != before  # moved there, not written over
        assert list(tmp_path.iterdir()) == [path]
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_node_exporter_would_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.prom"):
        TextFile(tmp_path / "bpfexit.txt")


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BpfexitError, match="No such file"):
        TextFile(tmp_path / "none" / "bpfexit.prom").write(REGISTRY)


def test_a_failure_later_is_reported_once_and_ends_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = TextFile(folder / "bpfexit.prom")
    file.write(REGISTRY)
    folder.rename(tmp_path / "elsewhere")
    file.write(REGISTRY)
    file.write(REGISTRY)
    assert capfd.readouterr().err.count("No such file or directory; it is tried again") == 1
