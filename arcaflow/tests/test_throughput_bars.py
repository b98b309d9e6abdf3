#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The report's plot of throughput: one bar for each setting of a mechanism, all of them readable."""

import unittest

import plugin_support  # noqa: F401  makes the utilities importable
from sample_documents import ipcmark_document, ipcmark_result, scaled

import figures
from measurements import measurements_of


def bars_of(*results: dict):
    measured = [each for each in measurements_of(ipcmark_document(list(results)), "x") if each.direction == "one_way"]
    return figures.throughput_bars(measured, "t")


class ThroughputBars(unittest.TestCase):
    def test_runs_of_a_setting_are_one_bar(self):
        """Two would be drawn on top of each other, as if they were added."""
        by_count, by_duration, other = ipcmark_result(), scaled(ipcmark_result(), 2), ipcmark_result()
        by_duration["test_config"].update(msg_count=None, duration={"secs": 1, "nanos": 0})
        other["test_config"]["message_size"] = 64
        (bars,) = bars_of(by_count, by_duration, scaled(ipcmark_result(), 4), other).data
        self.assertEqual(list(bars.y), ["1 KiB blocking", "64 B blocking"])
        mean = 204.8 * (1 + 1 / 2 + 1 / 4) / 3
        for value, expected in zip(bars.x, (mean, 204.8), strict=True):
            self.assertAlmostEqual(value, expected)
        for value, expected in zip(bars.error_x.array, (204.8 - mean, 0), strict=True):
            self.assertAlmostEqual(value, expected)
        for value, expected in zip(bars.error_x.arrayminus, (mean - 51.2, 0), strict=True):
            self.assertAlmostEqual(value, expected)
        self.assertTrue(bars.error_x.visible)
        self.assertIn("3 runs, 51.2 to 204.8 MB/s", bars.hovertext[0])
        self.assertNotIn("runs", bars.hovertext[1])

    def test_single_runs_have_no_range(self):
        self.assertFalse(bars_of(ipcmark_result()).data[0].error_x.visible)

    def test_every_bar_has_its_height(self):
        for settings, mechanisms in ((1, 1), (2, 4), (20, 3), (80, 4)):
            with self.subTest(settings=settings, mechanisms=mechanisms):
                results = []
                for size in range(1, settings + 1):
                    for name in range(mechanisms):
                        results.append(ipcmark_result(mechanism=f"m{name}", module=None))
                        results[-1]["test_config"]["message_size"] = size
                figure = bars_of(*results)
                self.assertEqual(len(figure.data), mechanisms)
                layout = figure.layout
                plot = layout.height - layout.margin.t - layout.margin.b
                bar = plot / settings * (1 - layout.bargap) / mechanisms
                self.assertGreater(bar, 7)
                self.assertLess(bar, 30)
                self.assertLessEqual(layout.legend.y, 3)  # plotly puts it beside the plot otherwise


if __name__ == "__main__":
    unittest.main()
