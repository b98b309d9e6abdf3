#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ticks of logarithmic axes."""

import math
import unittest

import plugin_support  # noqa: F401  makes the utilities importable
from sample_documents import ipcmark_document, ipcmark_result

import axes
import figures
from measurements import measurements_of


class Axes(unittest.TestCase):
    def test_units(self):
        for value, text in ((50, "50 ns"), (1000, "1 µs"), (20_000, "20 µs"), (5e6, "5 ms"), (2e9, "2 s")):
            self.assertEqual(axes.time_text(value), text)
        for value, text in ((1, "1"), (500, "500"), (20_000, "20k"), (5e6, "5M"), (2e9, "2G")):
            self.assertEqual(axes.count_text(value), text)

    def test_few_decades_have_steps_between(self):
        axis = axes.logarithmic([1200, 18_000], axes.time_text)
        self.assertEqual(axis["ticktext"], ["2 µs", "5 µs", "10 µs", "20 µs"])
        self.assertLess(axis["range"][0], math.log10(1200))
        self.assertGreater(axis["range"][1], math.log10(18_000))

    def test_every_axis_has_ticks(self):
        """Also where what was measured is one value, or all of it lies between two of the usual steps."""
        self.assertEqual(axes.logarithmic([500])["ticktext"], ["450", "500", "550"])
        self.assertEqual(axes.logarithmic([700])["ticktext"], ["650", "700", "750", "800"])
        self.assertEqual(axes.logarithmic([2.5, 4.2])["ticktext"], ["3", "4"])
        for value in (10 ** (exponent / 100) for exponent in range(-300, 1000)):
            for room_below in (1.15, 2):
                axis = axes.logarithmic([value], room_below=room_below)
                self.assertIn(len(axis["tickvals"]), range(2, 8), value)
                self.assertEqual(len(set(axis["ticktext"])), len(axis["tickvals"]), value)
                for tick in axis["tickvals"]:
                    self.assertLessEqual(axis["range"][0], math.log10(tick) + 1e-9)
                    self.assertLessEqual(math.log10(tick) - 1e-9, axis["range"][1])

    def test_many_decades_have_one_tick_each(self):
        axis = axes.logarithmic([90, 2e6], axes.time_text)
        self.assertEqual(axis["ticktext"], ["100 ns", "1 µs", "10 µs", "100 µs", "1 ms"])

    def test_nothing_and_zero(self):
        for values in ([], [0], [0.0, None]):
            self.assertEqual(len(axes.logarithmic(values)["range"]), 2)

    def test_ticks_where_something_was_measured(self):
        self.assertEqual(axes.at_values([4, 1, 2, 4], str)["ticktext"], ["1", "2", "4"])


class Saturation(unittest.TestCase):
    def test_rates_that_were_not_reached_are_marked(self):
        results = []
        checks = (
            (1000, "offered-rate", "ok"),
            (2000, "delivered-rate", "suspicious"),
            (5000, "offered-rate", "suspicious"),
        )
        for rate, check, verdict in checks:
            result = ipcmark_result()
            result["test_config"]["rate_per_second"] = rate
            result["round_trip_results"]["audit"] = [{"id": check, "verdict": verdict}]
            results.append(result)
        measured = [each for each in measurements_of(ipcmark_document(results), "x") if each.direction == "round_trip"]
        line = figures.saturation_curves(measured, "t").data[0]
        self.assertEqual((list(line.x), list(line.marker.symbol)), ([1000, 2000, 5000], ["circle", "x", "x"]))

    def test_curves_need_two_points(self):
        measured = measurements_of(ipcmark_document(), "x")
        for curve in (figures.saturation_curves, figures.scaling_curves, figures.size_curves):
            self.assertIsNone(curve(measured, "t"))


if __name__ == "__main__":
    unittest.main()
