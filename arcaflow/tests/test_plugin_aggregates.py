#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Statistics over iterations, and the summary of several documents."""

import json
import unittest

import plugin_support  # noqa: F401
from sample_documents import direction_summary, ipcmark_document, ipcmark_result

from arcaflow_plugin_ipcmark import document
from arcaflow_plugin_ipcmark.aggregates import aggregate, statistics_of
from arcaflow_plugin_ipcmark.merge import merge


def results_of(*results: dict):
    return document.parse(json.dumps(ipcmark_document(list(results))))[0].results


def with_option(name: str, value: str, given: bool) -> dict:
    options = [{"name": name, "value": value, "given": given}]
    return ipcmark_result(module={**ipcmark_result()["module"], "options": options})


def clock(source: str) -> dict:
    return {"source": source, "frequency_hz": 1e9, "overhead_ns": 20.0, "resolution_ns": 1.0, "reason": "asked for"}


class Statistics(unittest.TestCase):
    def test_one_value(self):
        figures = statistics_of([5.0])
        self.assertEqual((figures.mean, figures.stddev, figures.sample_count), (5.0, 0.0, 1))

    def test_several(self):
        figures = statistics_of([2, 4, 9])
        self.assertEqual((figures.mean, figures.min_value, figures.max_value), (5.0, 2.0, 9.0))
        self.assertAlmostEqual(figures.stddev, 13**0.5)


class Aggregates(unittest.TestCase):
    def test_directions_are_apart_and_from_their_own_figures(self):
        tests = aggregate(results_of(ipcmark_result(), ipcmark_result())).tests
        self.assertEqual(
            [(test.direction, test.iterations_completed) for test in tests], [("one_way", 2), ("round_trip", 2)]
        )
        one_way, round_trip = tests
        self.assertEqual(one_way.mean_latency_ns.mean, 4000.0)
        self.assertEqual(round_trip.mean_latency_ns.mean, 10_000.0)
        self.assertEqual(one_way.p99_latency_ns.mean, 10_000.0)
        self.assertEqual(round_trip.p95_latency_ns.mean, 15_000.0)
        self.assertAlmostEqual(one_way.throughput_mbps.mean, 204.8)
        self.assertAlmostEqual(round_trip.throughput_mbps.mean, 92.16)

    def test_a_direction_that_was_not_measured_has_none(self):
        tests = aggregate(results_of(ipcmark_result(one_way_results=None))).tests
        self.assertEqual([test.direction for test in tests], ["round_trip"])

    def test_every_input_that_changes_the_figures_keeps_them_apart(self):
        base = ipcmark_result()
        variants = [base]
        for field, value in {
            "message_size": 2048,
            "concurrency": 2,
            "msg_count": 7,
            "duration": {"secs": 1, "nanos": 0},
            "warmup_iterations": 7,
            "mode": "asynchronous",
            "access": "direct",
            "wait_policy": "spin",
            "send_delay_ns": 7,
            "rate_per_second": 7.0,
            "window": 7,
            "batch": 7,
            "first_message": "keep",
            "server_cpus": [0],
            "client_cpus": [0],
        }.items():
            variants.append(ipcmark_result(test_config={**base["test_config"], field: value}))
        variants.append(with_option("type", "seqpacket", given=True))
        for size in (8192, 1 << 20):
            variants.append(with_option("buffer-size", str(2 * size), given=True))
            variants[-1]["test_config"]["buffer_size"] = size
        variants.append(ipcmark_result(mechanism="TcpSocket"))
        for field, value in {"path": "/tmp/modules/uds.so", "version": "0.2.0", "checked": True}.items():
            variants.append(ipcmark_result(module={**base["module"], field: value}))
        for source in ("tsc", "monotonic"):
            variants.append(ipcmark_result(system_info={**base["system_info"], "clock": clock(source)}))
        tests = aggregate(results_of(*variants, *variants)).tests
        self.assertEqual(len(tests), 2 * len(variants))
        self.assertEqual({test.iterations_completed for test in tests}, {2})

    def test_what_does_not_change_the_figures_does_not(self):
        base = ipcmark_result()
        other = ipcmark_result(
            test_config={**base["test_config"], "percentiles": [50.0], "timeout_ns": 5, "repeat_index": 1}
        )
        spin = ipcmark_result(test_config={**base["test_config"], "spin_ns": 1})  # only adaptive spins so long
        self.assertEqual(len(aggregate(results_of(base, other, spin)).tests), 2)

    def test_what_the_system_chose_does_not(self):
        chosen = [with_option("numa-node", str(node), given=False) for node in (0, 1)]
        for size, result in enumerate(chosen, start=4096):
            result["test_config"]["buffer_size"] = size  # as in force, where none was asked for
        given = [with_option("port", str(port), given=True) for port in (50001, 50002)]  # of -O port=0
        tests = aggregate(results_of(*chosen, *given)).tests
        self.assertEqual([test.iterations_completed for test in tests], [4, 4])
        self.assertNotIn("buffer_size", tests[0].parameters)

    def test_failed_and_incomplete_results_do_not_count(self):
        partial = ipcmark_result()
        partial["one_way_results"]["partial"] = True
        failed = ipcmark_result(status={"Failure": "no"})
        tests = aggregate(results_of(ipcmark_result(), partial, failed)).tests
        self.assertEqual(
            [(test.direction, test.iterations_completed) for test in tests], [("one_way", 1), ("round_trip", 2)]
        )

    def test_percentile_that_was_not_asked_comes_from_the_summary(self):
        result = ipcmark_result()
        result["one_way_results"]["latency"]["percentiles"] = []
        result["summary"]["one_way"] = direction_summary(7, 99, 999)
        one_way = aggregate(results_of(result)).tests[0]
        self.assertEqual((one_way.p95_latency_ns.mean, one_way.p99_latency_ns.mean), (7, 99))


class Merge(unittest.TestCase):
    def test_best_of_each_and_totals(self):
        slow, fast = ipcmark_document(), ipcmark_document()
        summary = fast["summary"]["mechanisms"]["Unix Domain Socket"]
        summary.update(average_throughput_mbps=400.0, average_latency_ns=5000.0, p95_latency_ns=9000)
        merged = merge([document.parse(json.dumps(each))[0] for each in (slow, fast)])
        both = merged.summary.mechanisms["Unix Domain Socket"]
        self.assertEqual((both.average_throughput_mbps, both.p95_latency_ns, both.total_messages), (400.0, 6000, 4000))
        self.assertEqual((merged.metadata.total_tests, merged.summary.total_messages), (2, 4000))
        self.assertEqual(merged.summary.fastest_mechanism, "Unix Domain Socket")

    def test_one_way_and_round_trip_are_not_compared(self):
        one_way, round_trip = ipcmark_document(), ipcmark_document()
        summary = round_trip["summary"]["mechanisms"].pop("Unix Domain Socket")
        summary.update(
            mechanism="TcpSocket", average_throughput_mbps=9999.0, average_latency_ns=1.0, direction="RoundTrip"
        )
        round_trip["summary"]["mechanisms"]["TCP Socket"] = summary
        merged = merge([document.parse(json.dumps(each))[0] for each in (one_way, round_trip)])
        self.assertEqual(merged.summary.fastest_mechanism, "Unix Domain Socket")
        self.assertEqual(merged.summary.lowest_latency_mechanism, "Unix Domain Socket")
        self.assertEqual(merged.summary.direction, "OneWay")

    def test_one_mechanism_s_figures_are_of_one_direction(self):
        """Whatever came first, and although the round trip has the better ones."""
        one_way, round_trip = ipcmark_document(), ipcmark_document()
        summary = round_trip["summary"]["mechanisms"]["Unix Domain Socket"]
        summary.update(average_throughput_mbps=9999.0, average_latency_ns=1.0, p95_latency_ns=2, direction="RoundTrip")
        wanted = one_way["summary"]["mechanisms"]["Unix Domain Socket"]
        documents = [document.parse(json.dumps(each))[0] for each in (one_way, round_trip)]
        for order in (documents, documents[::-1]):
            merged = merge(order).summary.mechanisms["Unix Domain Socket"]
            self.assertEqual(merged.direction, "OneWay")
            for name in ("average_throughput_mbps", "average_latency_ns", "p95_latency_ns", "p99_latency_ns"):
                self.assertEqual(getattr(merged, name), wanted[name], name)

    def test_warnings_of_every_run_are_kept_once(self):
        documents = [ipcmark_document() for _ in range(3)]
        governor, drift = ({"code": code, "cause": code, "remedy": ""} for code in ("governor", "clock-drift"))
        for each, warnings in zip(documents, ([governor], [governor, drift], []), strict=True):
            each["metadata"]["warnings"] = warnings
        merged = merge([document.parse(json.dumps(each))[0] for each in documents])
        self.assertEqual([warning.code for warning in merged.metadata.warnings], ["governor", "clock-drift"])

    def test_nothing_measured(self):
        empty = ipcmark_document([])
        empty["summary"]["mechanisms"] = {}
        merged = merge([document.parse(json.dumps(empty))[0]])
        self.assertIsNone(merged.summary.fastest_mechanism)
        self.assertIsNone(merged.summary.lowest_latency_mechanism)


if __name__ == "__main__":
    unittest.main()
