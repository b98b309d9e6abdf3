#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes one HTML page, which needs no network, of one or many result documents: plots, machine, warnings, comparison.

Reads documents of ipcmark and of rusty-comms, and outputs of the Arcaflow engine and the plugin.
"""

import argparse
import html
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from plotly.offline import get_plotlyjs

import console
import documents
import figures
import panels
from digits import decimal_text
from environment import environment_of
from findings import findings_of
from measurements import DIRECTIONS, Measurement, measurements_of

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:1200px;padding:24px;color:#1d2433;background:#fff}
h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:36px 0 8px;border-bottom:1px solid #d8dde6;padding-bottom:4px}
.muted{color:#67718a}table{border-collapse:collapse;width:100%;font-size:13px}
td,th{padding:5px 9px;border-bottom:1px solid #e6e9ef;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.scroll{overflow-x:auto}.warning{border-left:4px solid #d98e04;background:#fff8ea;padding:8px 12px;margin:8px 0}
.failure{border-left-color:#c8322b;background:#fdeeee}summary{cursor:pointer}.plot{margin:12px 0}
"""


SHOWN_ROWS = 40  # longer tables are folded
SHOWN_PLACES = 4  # of one warning


def page(sources: dict[str, dict[str, Any]], title: str) -> str:
    """The whole page. `sources`: documents by the names that the page gives them."""
    measured = [each for name, document in sources.items() for each in measurements_of(document, name)]
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="muted">{_text(", ".join(sources))}</p>',
        _warnings(sources),
        _comparison(measured, list(sources)),
        *_plots(measured),
        _results(measured),
        _environment(sources),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style><script>{get_plotlyjs()}</script></head>\n"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _text(value: Any) -> str:
    return html.escape(str(value))


def _plot(figure) -> str:
    if figure is None:
        return ""
    inner = figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True})
    return f'<div class="plot">{inner}</div>'


def _plots(measured: list[Measurement]) -> list[str]:
    parts = []
    for direction, name in DIRECTIONS.items():
        own = [each for each in measured if each.direction == direction]
        plots = [
            figures.percentile_curves(own, "Latency by percentile"),
            figures.histograms(own, "Distribution of latency"),
            figures.throughput_bars(own, "Throughput"),
            figures.size_curves(own, "Latency by message size"),
            figures.scaling_curves(own, "Scaling with endpoints"),
            figures.saturation_curves(own, "Saturation: latency by offered rate"),
        ]
        text = "".join(map(_plot, plots))
        if text:
            settings = len({each.setting() for each in own})
            if settings > panels.MAX_PANELS:
                text += (
                    f'<p class="muted">Latency is plotted of the first {panels.MAX_PANELS} of {settings} settings.</p>'
                )
            parts.append(f"<h2>{name}</h2>{_streaming_note(own)}{text}")
    return parts


def _streaming_note(measured: list[Measurement]) -> str:
    """One way without a pace: the reader must not take the figures for the latency of an idle transport."""
    if not any(each.streams() for each in measured):
        return ""
    return (
        '<p class="muted">Without a rate or a send delay, messages stream as fast as the transport takes them: these'
        " latencies are mostly time spent in its buffers. Those of an unloaded transport are measured with a rate"
        " (<code>rate</code>, <code>--rate</code>) below saturation, or as round trips.</p>"
    )


def _table(head: list[str], rows: list[list[Any]], numbers_from: int) -> str:
    """`numbers_from`: the first column that is aligned to the right."""

    def line(tag: str, cells: list[Any]) -> str:
        marks = [' class="n"' if i >= numbers_from else "" for i in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{m}>{_text(c)}</{tag}>" for m, c in zip(marks, cells, strict=True)) + "</tr>"

    return f'<div class="scroll"><table>{line("th", head)}{"".join(line("td", row) for row in rows)}</table></div>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _results(measured: list[Measurement]) -> str:
    head = ["document", "test", "direction", "min", "p50", "p95", "p99", "p99.9", "max (ns)", "messages/s", "MB/s"]
    rows = []
    for each in measured:
        latency = each.latency
        values = [latency["min_ns"], latency["median_ns"], *(each.percentile(p) for p in (95, 99, 99.9))]
        rows.append(
            [each.source, each.label(), DIRECTIONS[each.direction].lower()]
            + [_number(value) for value in (*values, latency["max_ns"])]
            + [decimal_text(each.messages_per_second, 0), decimal_text(each.megabytes_per_second, 1)]
        )
    if not rows:
        return "<h2>Results</h2><p>No result succeeded.</p>"
    return "<h2>Results</h2>" + _folded(_table(head, rows, 3), len(rows))


def _folded(table: str, rows: int) -> str:
    shown = "" if rows > SHOWN_ROWS else " open"
    return f"<details{shown}><summary>{rows} measurements</summary>{table}</details>"


def _warnings(sources: dict[str, dict[str, Any]]) -> str:
    boxes = []
    for finding in findings_of(sources):
        lines = [f"<div><b>{_text(where)}</b>: {_text(what)}</div>" for where, what in finding.places]
        shown, folded = lines[:SHOWN_PLACES], lines[SHOWN_PLACES:]
        if folded:
            shown.append(f"<details><summary>and {len(folded)} more</summary>{''.join(folded)}</details>")
        if finding.remedy:
            shown.append(f"<div><i>{_text(finding.remedy)}</i></div>")
        boxes.append(f'<div class="warning{" failure" if finding.failure else ""}">{"".join(shown)}</div>')
    return f"<h2>Warnings</h2>{''.join(boxes)}" if boxes else ""


def compare(measured: list[Measurement], first: str, second: str) -> list[dict[str, Any]]:
    """What both documents have, with the change from the first to the second in percent; more is better.

    What a document has more than once, by repetition or both by count and by duration, stands for its mean.
    """
    groups: dict[tuple, dict[str, list[Measurement]]] = {}
    for each in measured:
        groups.setdefault(each.key(), {}).setdefault(each.source, []).append(each)
    rows = []
    for group in groups.values():
        if first not in group or second not in group:
            continue
        one = group[first][0]
        old, new = (_means(group[source]) for source in (first, second))
        rows.append(
            {
                "label": f"{one.label()} {DIRECTIONS[one.direction].lower()}",
                "throughput": _gain(new["rate"], old["rate"]),
                "p50": _gain(old["p50"], new["p50"]),
                "p99": _gain(old["p99"], new["p99"]),
            }
        )
    return rows


def _means(measured: list[Measurement]) -> dict[str, float | None]:
    columns = {
        "rate": [each.messages_per_second for each in measured],
        "p50": [each.latency["median_ns"] for each in measured],
        "p99": [each.percentile(99) for each in measured],
    }
    return {name: None if None in values else fmean(values) for name, values in columns.items()}


def _gain(more: float | None, less: float | None) -> float | None:
    return 100 * (more / less - 1) if more and less else None


def _comparison(measured: list[Measurement], names: list[str]) -> str:
    if len(names) != 2:
        return ""
    rows = compare(measured, *names)
    heading = f"<h2>Comparison: {_text(names[1])} against {_text(names[0])}</h2>"
    if not rows:
        return heading + "<p>The two have no measurement in common.</p>"
    head = ["test", "throughput", "median latency", "p99 latency"]
    cells = [[row["label"], *(_percent(row[name]) for name in ("throughput", "p50", "p99"))] for row in rows]
    return (
        heading + _plot(figures.comparison_plot(rows, "Better or worse")) + _folded(_table(head, cells, 1), len(rows))
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f} %"


def _environment(sources: dict[str, dict[str, Any]]) -> str:
    systems = {name: environment_of(document) for name, document in sources.items()}
    fields = list(dict.fromkeys(field for system in systems.values() for field in system))
    rows = [[field, *(system.get(field, "–") for system in systems.values())] for field in fields]
    return "<h2>Environment</h2>" + _table(["", *systems], rows, len(systems) + 1)


def source_names(paths: list[Path]) -> list[str]:
    """Short names that differ."""
    names = [path.stem for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", nargs="+", type=Path, metavar="FILE", help="result documents; of two: compared")
    parser.add_argument("--output", "-o", type=Path, default=Path("report.html"), help="default: %(default)s")
    parser.add_argument("--title", default="ipcmark report", help="default: %(default)s")
    arguments = parser.parse_args()
    paths = list(dict.fromkeys(arguments.documents))
    try:
        sources = {name: documents.load(path) for name, path in zip(source_names(paths), paths, strict=True)}
        text = page(sources, arguments.title)
        partial = arguments.output.with_name(arguments.output.name + ".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(arguments.output)
    except (documents.NoResults, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"written: {arguments.output} ({arguments.output.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    console.end_quietly_with_the_reader()
    sys.exit(main())
