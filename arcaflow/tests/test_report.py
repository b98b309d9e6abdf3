#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The report: what is in the page, and that a browser draws it."""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from html.parser import HTMLParser

from plugin_support import TIMEOUT_S, UTILS, PluginTest
from sample_documents import (
    direction_summary,
    engine_output,
    ipcmark_document,
    ipcmark_result,
    rusty_document,
    rusty_result,
    scaled,
)

import documents
import measurements
import panels
import report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=15000",
    "--window-size=1280,12000",
]


def matrix(factor: float) -> dict:
    """A document that has something for every plot."""
    results = []
    for mechanism, speed in (("UnixDomainSocket", 1), ("TcpSocket", 1.6), ("SharedMemory", 0.3)):
        for size in (64, 1024):
            for endpoints in (1, 2, 4):
                result = scaled(ipcmark_result(mechanism=mechanism), factor * speed * endpoints**0.3)
                result["test_config"].update(message_size=size, concurrency=endpoints)
                results.append(result)
    for rate in (1000, 5000, 20_000):
        result = scaled(ipcmark_result(), factor * (1 + rate / 10_000))
        result["test_config"]["rate_per_second"] = rate
        results.append(result)
    return ipcmark_document(results)


class ReportTest(PluginTest):
    def report(self, *documents: dict | str, expect: int = 0) -> str:
        """The page, or what was said where the exit code is another."""
        paths = []
        for number, document in enumerate(documents, start=1):
            paths.append(self.folder / f"run{number}.json")
            paths[-1].write_text(document if isinstance(document, str) else json.dumps(document))
        self.page = self.folder / "report.html"
        done = subprocess.run(
            [sys.executable, str(UTILS / "python" / "report.py"), "-o", str(self.page), *map(str, paths)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        self.assertEqual(done.returncode, expect, done.stderr)
        return self.page.read_text() if expect == 0 else done.stderr


class Report(ReportTest):
    def test_needs_no_network(self):
        class References(HTMLParser):
            found: list[str] = []  # noqa: RUF012

            def handle_starttag(self, tag, attrs):
                self.found += [value for name, value in attrs if name in ("src", "href", "data", "action")]

        parser = References()
        text = self.report(ipcmark_document())
        parser.feed(text)
        self.assertEqual(parser.found, [])
        self.assertNotIn("@import", re.sub(r"<script>.*?</script>", "", text, flags=re.S))

    def test_reads_everything_that_there_is(self):
        for document, label in (
            (ipcmark_document(), "uds 1 KiB blocking"),
            *((rusty_document(spelling), "uds 1 KiB async") for spelling in documents.SPELLINGS),
            (engine_output(ipcmark_document()), "uds 1 KiB blocking"),
        ):
            self.assertTrue(label in self.report(document), label)  # assertIn would print megabytes

    def test_machine_warnings_and_failures(self):
        result = ipcmark_result(warnings=[{"code": "x", "cause": "a cause", "remedy": "a remedy"}])
        result["one_way_results"]["audit"] = [
            {"id": "littles-law", "value": 0.1, "expectation": "about 1", "verdict": "suspicious"},
            {"id": "cpu-placement", "value": 1.0, "expectation": "as asked", "verdict": "ok"},
        ]
        document = ipcmark_document([result, ipcmark_result(status={"Failure": "<b>port</b> taken"})])
        document["metadata"]["warnings"] = [{"code": "y", "cause": "governor powersave", "remedy": "set performance"}]
        document["metadata"]["system_info"]["cpu_model"] = "Some CPU"
        document["errors"] = [{"test": 2, "iteration": 1, "mechanisms": ["tcp"], "error": "Test 2 timed out"}]
        text = self.report(document)
        for words in (
            "a cause",
            "a remedy",
            "littles-law is 0.1; expected: about 1",
            "governor powersave",
            "&lt;b&gt;port&lt;/b&gt; taken",
            "Test 2 timed out",
            "Some CPU",
        ):
            self.assertIn(words, text)
        self.assertNotIn("cpu-placement is", text)

    def test_what_was_warned_of_is_not_said_again(self):
        check = {"id": "offered-rate", "value": 0.5, "expectation": "at least 0.99", "verdict": "suspicious"}
        warning = {"code": "offered-rate", "cause": "one-way: not reached (0.5)", "remedy": "ask for less"}
        results = [ipcmark_result(warnings=[warning]) for _ in range(2)]
        for result, size in zip(results, (64, 1024), strict=True):
            result["test_config"]["message_size"] = size
            result["one_way_results"]["audit"] = [check]
        text = self.report(ipcmark_document(results))
        self.assertEqual(text.count("not reached (0.5)"), 2)
        self.assertNotIn("offered-rate is", text)
        # Where each was found, and the remedy once.
        self.assertIn("run1: uds 64 B blocking", text)
        self.assertIn("run1: uds 1 KiB blocking", text)
        self.assertEqual(text.count("ask for less"), 1)

    def test_a_mode_that_is_not_known_is_a_warning(self):
        """rusty-comms itself does not write it down; its plugin and ipcmark do."""
        words = "does not say whether it was measured with --blocking"
        self.assertTrue(words in self.report(rusty_document()))
        noted = rusty_document(results=[rusty_result(input_blocking=True)])
        all_defaults = {**rusty_document(), "iteration_aggregates": {"tests": []}}
        for document in (noted, all_defaults, ipcmark_document()):
            self.assertFalse(words in self.report(document))

    def test_many_warnings_of_a_kind_are_folded(self):
        results = []
        for size in range(1, 10):
            results.append(ipcmark_result(warnings=[{"code": "x", "cause": "a cause", "remedy": ""}]))
            results[-1]["test_config"]["message_size"] = size
        self.assertIn("and 5 more", self.report(ipcmark_document(results)))

    def test_environment(self):
        document = ipcmark_document()
        document["metadata"]["system_info"].update(governor="", compiler="gcc 14", clock={"overhead_ns": 10.2717})
        text = self.report(document)
        for words in ("16.0 GB", "not readable", "10.3 ns"):
            self.assertIn(words, text)
        self.assertNotIn("rust version", text)
        self.assertIn("rust version", self.report(rusty_document()))

    def test_the_server_of_two_machines_has_its_own_lines(self):
        document = ipcmark_document()
        ours = document["metadata"]["system_info"]
        theirs = {**ours, "hostname": "the-server", "cpu_cores": 192, "clock": {"source": "none"}}
        document["metadata"].update(server_system_info=theirs, control_address="tcp:192.0.2.7:7000")
        text = self.report(document)
        for words in ("server: hostname", "the-server", "server: CPUs online", "192", "tcp:192.0.2.7:7000"):
            self.assertIn(words, text)
        for words in ("server: kernel", "server: clock"):
            self.assertNotIn(words, text)

    def test_streaming_is_explained_only_where_it_was_measured(self):
        self.assertIn("mostly time spent in its buffers", self.report(ipcmark_document()))
        paced = ipcmark_result()
        paced["test_config"]["rate_per_second"] = 1000
        self.assertNotIn("mostly time spent in its buffers", self.report(ipcmark_document([paced])))

    def test_comparison(self):
        text = self.report(ipcmark_document(), ipcmark_document([scaled(ipcmark_result(), 2)]))
        self.assertIn("Comparison: run2 against run1", text)
        self.assertIn("-50.0 %", text)
        different = ipcmark_document([ipcmark_result(mechanism="TcpSocket")])
        self.assertIn("no measurement in common", self.report(ipcmark_document(), different))
        self.assertNotIn("Comparison", self.report(ipcmark_document()))

    def test_what_was_measured_more_than_once_is_compared_by_its_mean(self):
        def document(factor: float) -> dict:
            by_count, by_duration = ipcmark_result(), scaled(ipcmark_result(), 3)
            by_duration["test_config"].update(msg_count=None, duration={"secs": 1, "nanos": 0})
            return ipcmark_document([scaled(by_count, factor), scaled(by_duration, factor)])

        sources = {"before": document(1), "same": document(1), "after": document(2)}
        measured = [each for name, one in sources.items() for each in measurements.measurements_of(one, name)]
        for name, change in (("same", 0), ("after", -50)):
            rows = report.compare(measured, "before", name)
            self.assertEqual(
                [row["label"] for row in rows], ["uds 1 KiB blocking one way", "uds 1 KiB blocking round trip"]
            )
            for row in rows:
                for figure in ("throughput", "p50", "p99"):
                    self.assertAlmostEqual(row[figure], change)

    def test_delays_are_named_alike(self):
        ours, theirs = ipcmark_result(), rusty_result(input_send_delay="50us")
        ours["test_config"]["send_delay_ns"] = 50_000
        self.assertEqual(measurements.label_of(ours), "uds 1 KiB blocking delay 50 µs")
        self.assertEqual(measurements.label_of(theirs), "uds 1 KiB async delay 50 µs")

    def test_buffers_are_named_as_they_were_asked_for(self):
        """Not as twice that, which Linux makes of it."""
        for said, size, label in ((32_768, "64KiB", "32 KiB"), (65_536, "64KiB", "32 KiB"), (5000, "10000", "5000 B")):
            module = ipcmark_result()["module"]
            module["options"] = [
                {"name": "buffer-size", "value": size, "given": True},
                {"name": "send-buffer", "value": size, "given": False},
            ]
            result = ipcmark_result(module=module)
            result["test_config"]["buffer_size"] = said  # in force, where -O said it
            self.assertEqual(measurements.label_of(result), f"uds 1 KiB blocking buffer-size {label}")

    def test_a_port_makes_no_setting(self):
        module = ipcmark_result()["module"]
        module["options"] = [{"name": "port", "value": "50001", "given": True}]
        self.assertEqual(measurements.label_of(ipcmark_result(module=module)), "uds 1 KiB blocking")

    def test_what_was_measured_with_other_means_is_apart(self):
        base = ipcmark_result()
        clock = {"source": "monotonic", "reason": "asked for"}
        variants = [
            base,
            ipcmark_result(system_info={**base["system_info"], "clock": clock}),
            ipcmark_result(module={**base["module"], "checked": True}),
            ipcmark_result(module={**base["module"], "path": "/tmp/uds.so"}),
        ]
        measured = measurements.measurements_of(ipcmark_document(variants), "x")
        self.assertEqual(len({each.key() for each in measured}), 2 * len(variants))
        self.assertIn("clock monotonic", measured[2].label())
        self.assertIn("checked by --debug-module", measured[4].label())
        self.assertIn("/tmp/uds.so", measured[6].label())

    def test_a_module_that_is_elsewhere_in_another_document_is_compared(self):
        module = {**ipcmark_result()["module"], "path": "/tmp/uds.so", "version": "0.2.0"}
        self.assertIn("Comparison", self.report(ipcmark_document(), ipcmark_document([ipcmark_result(module=module)])))
        self.assertNotIn("no measurement in common", self.page.read_text())

    def test_a_low_rate_is_not_0(self):
        result = ipcmark_result(round_trip_results=None)
        result["one_way_results"]["throughput"].update(messages_per_second=0.5, bytes_per_second=320.0)
        text = self.report(ipcmark_document([result]))
        for figure in ("0.500", "0.000320"):
            self.assertIn(f'<td class="n">{figure}</td>', text)

    def test_percentiles_that_were_not_asked_come_from_the_summary(self):
        result = ipcmark_result(round_trip_results=None)
        latency = result["one_way_results"]["latency"]
        latency.update(percentiles=[{"percentile": 90.0, "value_ns": 5555}], histogram=None)
        result["summary"].update(one_way=direction_summary(6666, 7777, 8888), round_trip=None)
        text = self.report(ipcmark_document([result]))
        for figure in ("6,666", "7,777", "8,888"):
            self.assertIn(f'<td class="n">{figure}</td>', text)
        (each,) = measurements.measurements_of(ipcmark_document([result]), "x")
        self.assertLessEqual({(90.0, 5555.0), (99.9, 8888.0)}, set(each.curve()))

    def test_a_long_legend_has_room_of_its_own(self):
        def top(*names: str) -> int:
            return panels.single("title", list(names), {}, {}).layout.margin.t

        self.assertEqual(top("uds", "tcp", "shm", "pmq"), top("uds"))
        self.assertGreater(top(*(f"uds, a document of a long name {i}" for i in range(8))), top("uds"))

    def test_bad_input_is_one_line(self):
        said = self.report("{", expect=1)
        self.assertIn("run1.json", said)
        self.assertEqual(said.count("\n"), 1)


@unittest.skipIf(os.environ.get("IPCMARK_NO_BROWSER"), "IPCMARK_NO_BROWSER is set")
class Browser(ReportTest):
    def browse(self, *arguments: str) -> str:
        program = next(filter(None, map(shutil.which, BROWSERS)), None)
        self.assertTrue(program, f"none of {', '.join(BROWSERS)} is installed (or set IPCMARK_NO_BROWSER)")
        profile = self.folder / "profile"
        done = subprocess.run(
            [program, *FLAGS, f"--user-data-dir={profile}", *arguments, f"file://{self.page}"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_every_plot_is_drawn(self):
        self.report(matrix(1), matrix(1.2))
        drawn = self.browse("--dump-dom")
        titles = ["Better or worse"] + 2 * [
            "Latency by percentile",
            "Distribution of latency",
            "Throughput",
            "Latency by message size",
            "Scaling with endpoints",
            "Saturation: latency by offered rate",
        ]
        plots = drawn.split('<div class="plot">')[1:]
        self.assertEqual(len(plots), len(titles))
        for title, plot in zip(titles, plots, strict=True):
            with self.subTest(title):
                self.assertIn(f">{title}</text>", plot)
                # Lines or bars with more than one point, not just axes.
                paths = re.findall(r'<path class="js-line" d="([^"]+)"', plot.replace("\n", " "))
                paths += re.findall(r'class="points?"[^>]*>?.*?<path [^>]*?d="([^"]+)"', plot, flags=re.S)
                self.assertTrue(any(len(path) > 20 for path in paths), "nothing is drawn")
                self.assertNotIn("NaN", "".join(paths))
        # A plot for each setting, with units on its axes.
        self.assertEqual(len(re.findall(r'class="x\d*title"', plots[1])), 9)
        for words in (">64 B blocking ×4<", ">1 KiB blocking 20,000/s<", ">99.9 %<", ">10 µs<"):
            self.assertIn(words, plots[1])
        self.assertIn(">1 KiB<", plots[4])

    def test_screenshot_shows_them(self):
        from PIL import Image

        self.report(matrix(1), matrix(1.2))
        shot = self.folder / "report.png"
        self.browse(f"--screenshot={shot}")
        with Image.open(shot) as image:
            self.assertEqual(image.size, (1280, 12000))
            colors = image.convert("RGB").getcolors(maxcolors=1 << 24)
        # The colours of the three mechanisms, each on at least some hundred pixels.
        count = {color: number for number, color in colors}
        for color in ((0x63, 0x6E, 0xFA), (0xEF, 0x55, 0x3B), (0x00, 0xCC, 0x96)):
            self.assertGreater(count.get(color, 0), 300, f"#{bytes(color).hex()} is hardly there")
        self.assertGreater(count.get((255, 255, 255), 0), 1_000_000)


if __name__ == "__main__":
    unittest.main()
