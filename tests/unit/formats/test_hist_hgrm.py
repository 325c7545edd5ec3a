"""HdrHistogram's text, its rows checked against HdrHistogram itself."""

import io

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings

from bpfexit.formats.hist.hgrm import encode
from tests.unit.formats.distributed import SAMPLES, of

Row = tuple[float, float, int]


def rows(text: str) -> list[Row]:
    """Read rows as the plotter does: without a comment, of four columns; and the last of three."""
    split = [line.split() for line in text.splitlines()[2:] if not line.startswith("#")]
    return [(float(each[0]), float(each[1]), int(each[2])) for each in split]


def footer(text: str) -> dict[str, float]:
    parts = [
        part for line in text.splitlines() if line[:1] == "#" for part in line[2:-1].split(",")
    ]
    return {name.strip(): float(value) for name, value in (part.split("=") for part in parts)}


def recorded(samples: list[int]) -> HdrHistogram:
    """Record in HdrHistogram, with three digits, what each sample's bucket stands for."""
    other = HdrHistogram(1, 1 << 39, 3)
    for lower, upper, count in of(samples).used:
        other.record_value(min(upper - 1, max(*samples, lower)), count)
    return other


@settings(max_examples=20)
@given(SAMPLES)
def test_every_row_says_what_hdrhistogram_counts_up_to_its_value(samples: list[int]) -> None:
    other = recorded(samples)
    counted = {
        each.value_iterated_to: each.total_count_to_this_value
        for each in other.get_recorded_iterator()
    }
    found = rows(encode(of(samples)))
    for value, share, so_far in found:
        assert so_far == counted[other.get_highest_equivalent_value(int(value))]
        assert so_far >= share * len(samples) * (1 - 1e-9)
    assert found[-1] == (max(samples), 1.0, len(samples))


@given(SAMPLES)
def test_rows_never_fall(samples: list[int]) -> None:
    found = rows(encode(of(samples)))
    assert found == sorted(found)
    assert found[0][1] == 0


@given(SAMPLES)
def test_the_footer_is_exact_in_mean_and_maximum(samples: list[int]) -> None:
    said = footer(encode(of(samples)))
    assert said["Total count"] == len(samples)
    assert said["Max"] == max(samples)
    assert said["Mean"] == pytest.approx(sum(samples) / len(samples), abs=1e-3)


def test_the_layout_is_that_of_hdrhistogram() -> None:
    other = io.BytesIO()
    recorded([100, 2000]).output_percentile_distribution(other, 1.0)
    theirs, ours = other.getvalue().decode().splitlines(), encode(of([100, 2000])).splitlines()
    assert ours[:2] == theirs[:2]
    assert [len(line.split()) for line in ours[2:4]] == [4, 4]
    assert len(ours[-4].split()) == len(theirs[-4].split()) == 3
    assert [line.split("=")[0] for line in ours[-3:]] == [
        line.split("=")[0] for line in theirs[-3:]
    ]


def test_the_ticks_halve_the_distance() -> None:
    shares = [share for _, share, _ in rows(encode(of([*range(0, 100000, 16)])))]
    assert shares[:8] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6]
    assert {0.75, 0.875, 0.9375} < set(shares)
