"""Names of addresses in what other tools read: beside the number, and who gave them."""

import csv
import io
import json
from dataclasses import replace

from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.formats.hist import csv as hist_csv
from bpfexit.formats.hist import folded as hist_folded
from bpfexit.formats.hist import json as hist_json
from bpfexit.formats.hist import openmetrics as hist_openmetrics
from bpfexit.formats.hist import text as hist_text
from bpfexit.formats.hist.folded import by_count
from bpfexit.formats.json import diff as diff_json
from bpfexit.formats.json import snapshot as lines
from bpfexit.formats.json import snapshot_reader
from bpfexit.model.address_names import AddressNames
from bpfexit.model.diff import compare
from bpfexit.model.distribution import Distributions, distributions
from bpfexit.model.guest import Guest, NameSource
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.view import Query
from tests.unit.builders import Exits, pio, snapshot
from tests.unit.formats.distributed import whole

EVIL = 'a"b\n;\x1b[2J'


def seen(name: str = "acpi-tmr") -> Snapshot:
    own = Guest(100, "alpha", regions=(Region(PIO, 0x608, 0x60B, name),), mapped_by=NameSource.QMP)
    exits = (pio(0x608, ns=(500,)), pio(0x70, ns=(50,)), Exits("HLT", (5,)))
    return replace(snapshot(*exits), guests=(own,))


def found(name: str = "acpi-tmr") -> Distributions:
    return distributions(seen(name), Query(("reason", "port")))


EXPECTED = [("acpi-tmr", "qmp"), ("rtc-index", "platform"), (None, None)]


def test_json_lines_have_the_name_and_who_gave_it() -> None:
    documents = map(json.loads, whole(hist_json.encode(found())).splitlines())
    assert [(each["name"], each["named_by"]) for each in documents] == EXPECTED


def test_csv_has_them_after_everything_else() -> None:
    rows = csv.DictReader(io.StringIO(whole(hist_csv.encode(found()))))
    expected = [(name or "", layer or "") for name, layer in EXPECTED]
    assert [(row["name"], row["named_by"]) for row in rows] == expected
    assert hist_csv.HEADER[-4:] == ("count", "name", "named_by", "class")


def test_openmetrics_has_them_as_labels() -> None:
    text = whole(hist_openmetrics.encode(found()))
    assert 'address="0x0608",access="read",name="acpi-tmr",named_by="qmp"' in text
    assert 'name="rtc-index",named_by="platform"' in text
    assert r'name="a\"b\\n;\\x1b[2J"' in whole(hist_openmetrics.encode(found(EVIL)))


def test_frames_and_titles_have_the_name_and_a_mark_where_it_is_a_guess() -> None:
    assert whole(hist_folded.encode(found(), by_count)).splitlines() == [
        "IO_INSTRUCTION;0x0608_read_(acpi-tmr) 1",
        "IO_INSTRUCTION;0x0070_read_(rtc-index?) 1",
        "HLT 1",
    ]
    assert whole(hist_text.encode(found())).startswith(
        "IO_INSTRUCTION 0x0608 read (acpi-tmr)  1 exits"
    )


def test_a_hostile_name_stays_in_its_frame() -> None:
    line = whole(hist_folded.encode(found(EVIL), by_count)).splitlines()[0]
    assert line == r'IO_INSTRUCTION;0x0608_read_(a"b\n:\x1b[2J) 1'


def test_a_comparison_has_them() -> None:
    _, *documents = map(json.loads, diff_json.encode(compare(seen(), seen(), Query(("port",)))))
    assert [(each["name"], each["named_by"]) for each in documents] == EXPECTED[1::-1]


def test_rows_of_a_snapshot_have_them_when_asked_for() -> None:
    of = seen()
    rows = json.loads(lines.encode(of, AddressNames(of).name))["rows"]
    assert [(row["name"], row["named_by"]) for row in rows] == EXPECTED
    assert all("name" not in row for row in json.loads(lines.encode(of))["rows"])
    assert lines.encode(
        snapshot_reader.decode(lines.encode(of, AddressNames(of).name))
    ) == lines.encode(of)
