# SPDX-License-Identifier: Apache-2.0
"""The histogram log, decoded by the Python library of HdrHistogram."""

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from sample import document, text


@pytest.fixture
def log(tmp_path):
    """tag → histogram"""
    path = tmp_path / "run.hlog"
    path.write_text(text("hdr-log"))
    reader = HistogramLogReader(str(path), HdrHistogram(1, 3_600_000_000_000, 3))
    found = {}
    while (histogram := reader.get_next_interval_histogram()) is not None:
        found[histogram.get_tag()] = histogram
    return found


def latency_of(mechanism, direction):
    for result in document("json")["results"]:
        if result["test_config"]["mechanism_id"] == mechanism:
            return result[f"{direction}_results"]["latency"]
    raise KeyError(mechanism)


def test_a_line_for_each_mechanism_size_and_direction(log):
    assert list(log) == [
        "uds/1024/one-way",
        "uds/1024/round-trip",
        "tcp/1024/round-trip",
        "tcp/1024/round-trip/uncorrected",
        "shm/1024/one-way",
    ]


@pytest.mark.parametrize(
    ("tag", "mechanism", "direction"),
    [
        ("uds/1024/one-way", "uds", "one_way"),
        ("uds/1024/round-trip", "uds", "round_trip"),
        ("tcp/1024/round-trip", "tcp", "round_trip"),
    ],
)
def test_the_decoded_histogram_is_the_documents(log, tag, mechanism, direction):
    latency = latency_of(mechanism, direction)
    decoded = log[tag]
    assert decoded.get_total_count() == latency["total_samples"]
    for asked in latency["percentiles"]:
        assert decoded.get_value_at_percentile(asked["percentile"]) == pytest.approx(asked["value_ns"], rel=1 / 1024)
    assert decoded.get_max_value() == pytest.approx(latency["max_ns"], rel=1 / 1024)
    assert decoded.get_min_value() == pytest.approx(latency["min_ns"], rel=1 / 1024)
    assert decoded.get_mean_value() == pytest.approx(latency["mean_ns"], rel=1 / 512)


def test_every_count_survives(log):
    latency = latency_of("uds", "one_way")
    for low, high, count in latency["histogram"]:
        assert log["uds/1024/one-way"].get_count_at_value(low) == count
        assert log["uds/1024/one-way"].get_count_at_value(high) == count


def test_times_are_those_of_the_measured_window(log):
    assert log["uds/1024/one-way"].get_start_time_stamp() == pytest.approx(1767323045678, abs=1)
    assert text("hdr-log").splitlines()[2].startswith("#[StartTime: 1767323045.000 (seconds since epoch)")
