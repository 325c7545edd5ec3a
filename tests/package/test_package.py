"""The installed package does what the checkout does."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from bpfexit import __version__
from bpfexit.cli import COMMANDS
from tests.package.roots import Root
from tests.testbed.kernels import CHECKOUT

DEMO = "bpfexit/data/svm-demo.jsonl.gz"
INSTALLED_DEMO = f"/usr/share/bpfexit/{DEMO}"
UNIT = "bpfexit-export.service"
PRIME = 10_007
PORT = 0x608
# A terminal whose user types TAB.
WITH_ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; fpath=(/usr/share/zsh/vendor-completions $fpath)'
zpty -w shell 'autoload compinit; compinit -u -D; print RE''ADY'
zpty -r shell line '*READY*'
zpty -n -w shell $'bpfexit diagnose --explain pm-t\t'
zpty -r shell line '*pm-timer*'
print -r -- $line
zpty -d shell
"""


def test_its_version_is_that_of_the_checkout(root: Root) -> None:
    assert root.output("bpfexit", "--version") == f"bpfexit, version {__version__}\n"


def test_a_recording_is_read_and_written_as_by_the_checkout(root: Root) -> None:
    """With or without orjson, the lines of JSON are the same bytes."""
    command = [sys.executable, "-m", "bpfexit", "top", "-j", "--input", str(CHECKOUT / DEMO)]
    here = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert here
    assert root.output("bpfexit", "top", "-j", "--input", INSTALLED_DEMO) == here


def test_a_recording_is_shown_as_a_table(root: Root) -> None:
    """Rich's releases divide the width differently, by a column."""
    table = root.output("bpfexit", "report", "--by", "reason", INSTALLED_DEMO)
    assert "virtme-ng" in table
    assert re.search(r"^io +63,448 +7,187 ", table, re.MULTILINE)


def test_orjson_is_used_where_the_release_has_it(root: Root) -> None:
    code = "import sys, bpfexit.formats.json.column_text; print('orjson' in sys.modules)"
    assert root.output("python3", "-c", code) == f"{root.suite != 'bookworm'}\n"


def test_other_programs_import_it(root: Root) -> None:
    code = f"import bpfexit; print(len([*bpfexit.open_recording({INSTALLED_DEMO!r})]))"
    assert int(root.output("python3", "-c", code)) > 0


def test_the_library_that_debian_lacks_is_carried_without_what_is_under_the_gpl(root: Root) -> None:
    done = root.run("bpfexit", "top", "-j", "--qmp", "/nowhere", "0.1", "1", check=False)
    assert "--qmp /nowhere: " in done.stderr
    assert "Traceback" not in done.stderr
    modules = {path.name for path in (root.folder / "usr/share/bpfexit/qemu/qmp").iterdir()}
    assert "qmp_client.py" in modules
    assert "legacy.py" not in modules
    assert "LGPL-2.0-or-later" in (root.folder / "usr/share/doc/bpfexit/copyright").read_text()


@pytest.mark.usefixtures("needs_bpf")
def test_the_doctor_finds_all_that_counting_takes(root: Root) -> None:
    checks = [json.loads(line) for line in root.output("bpfexit", "doctor", "-j").splitlines()]
    assert {each["name"]: each["status"] for each in checks}["programs"] == "ok"
    assert [each for each in checks if each["status"] == "fail"] == []


@pytest.mark.usefixtures("needs_bpf", "needs_kvm")
def test_a_prime_number_of_accesses_is_counted_live(root: Root) -> None:
    name = f"prime-{os.getpid()}"  # other tests may run guests beside
    guest = ("testguest", "--name", name, "--mix", "pio-read-user", "--exits", str(PRIME))
    recording = f"/root/{root.suite}.jsonl"
    root.run("bpfexit", "record", "-o", recording, "--", "bpfexit", *guest)
    counted: Counter[int] = Counter()
    for line in (root.folder / recording[1:]).read_text().splitlines():
        for row in json.loads(line).get("rows", []):
            if row["vm"] == name and row["kind"] == "pio":
                counted[row["address"]] += row["count"]
    assert counted[PORT] == PRIME


def test_the_unit_is_sound_and_disabled(root: Root) -> None:
    assert root.run("systemd-analyze", "verify", UNIT).stderr == ""
    limits = ("--offline=true", "--threshold=20", "--no-pager")
    root.run("systemd-analyze", "security", *limits, UNIT)
    done = root.run("systemctl", "--root=/", "is-enabled", UNIT, check=False)
    assert done.stdout == "disabled\n"


@pytest.mark.parametrize("name", ["bpfexit", *(f"bpfexit-{command}" for command in COMMANDS)])
def test_man_renders_the_page_without_a_warning(root: Root, name: str) -> None:
    done = root.run("man", "--warnings", "--encoding=UTF-8", "--pager=cat", name)
    assert done.stderr == ""
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"):
        assert f"\n{heading}\n" in done.stdout


def test_bash_completes_values(root: Root) -> None:
    script = """
    . /usr/share/bash-completion/completions/bpfexit
    COMP_WORDS=(bpfexit top --by vm,m); COMP_CWORD=3
    _bpfexit_completion bpfexit
    echo "${COMPREPLY[@]}"
    """
    assert root.output("bash", "-c", script) == "vm,mmio vm,msr\n"


def test_fish_completes_values(root: Root) -> None:
    found = root.output("fish", "-c", "complete -C 'bpfexit diagnose --explain pm-t'")
    assert found.split()[0] == "pm-timer"


def test_zsh_completes_values_from_the_first_tab_on(root: Root) -> None:
    assert "pm-timer" in root.output("timeout", "60", "zsh", "-f", "-c", WITH_ZSH)
