#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes one HTML page, which needs no network, of one or many result documents: plots, machine, warnings, comparison.

Reads documents of ipcmark and of rusty-comms, and outputs of the Arcaflow engine and the plugin.
"""

import argparse
import html
import sys
from pathlib import Path
from typing import Any

import figures
from measurements import DIRECTIONS, Measurement, measurements_of
from plotly.offline import get_plotlyjs

import console
import documents

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
            parts.append(f"<h2>{name}</h2>{text}")
            if len(own) > figures.MAX_CURVES:
                first = f"the first {figures.MAX_CURVES} of {len(own)} measurements"
                parts.append(f'<p class="muted">Curves are drawn of {first}.</p>')
    return parts


def _table(head: list[str], rows: list[list[Any]], numbers_from: int) -> str:
    """`numbers_from`: the first column that is aligned to the right."""

    def line(tag: str, cells: list[Any]) -> str:
        marks = [' class="n"' if i >= numbers_from else "" for i in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{m}>{_text(c)}</{tag}>" for m, c in zip(marks, cells, strict=True)) + "</tr>"

    return f'<div class="scroll"><table>{line("th", head)}{"".join(line("td", row) for row in rows)}</table></div>'


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _results(measured: list[Measurement]) -> str:
    head = ["document", "test", "direction", "min", "p50", "p95", "p99", "p99.9", "max (ns)", "messages/s", "MB/s"]
    rows = []
    for each in measured:
        latency = each.latency
        values = [latency["min_ns"], latency["median_ns"], *(each.percentile(p) for p in (95, 99, 99.9))]
        rows.append(
            [each.source, each.label(), DIRECTIONS[each.direction].lower()]
            + [_number(value) for value in (*values, latency["max_ns"], each.messages_per_second)]
            + [_number(each.megabytes_per_second, 1)]
        )
    if not rows:
        return "<h2>Results</h2><p>No result succeeded.</p>"
    return "<h2>Results</h2>" + _folded(_table(head, rows, 3), len(rows))


def _folded(table: str, rows: int) -> str:
    shown = "" if rows > SHOWN_ROWS else " open"
    return f"<details{shown}><summary>{rows} measurements</summary>{table}</details>"


def _warnings(sources: dict[str, dict[str, Any]]) -> str:
    parts = []
    for name, document in sources.items():
        for warning in (document.get("metadata") or {}).get("warnings") or []:
            parts.append(_warning(name, warning))
        for error in document.get("errors") or []:
            parts.append(f'<div class="warning failure"><b>{_text(name)}</b>: {_text(error.get("error"))}</div>')
        for result in document["results"]:
            where = (
                f"{name}: {documents.mechanism_of(result)}, {(result.get('test_config') or {}).get('message_size')} B"
            )
            reason = documents.failure_of(result)
            if reason is not None:
                parts.append(f'<div class="warning failure"><b>{_text(where)}</b> failed: {_text(reason)}</div>')
            for warning in result.get("warnings") or []:
                parts.append(_warning(where, warning))
            for direction, direction_name in DIRECTIONS.items():
                for check in (result.get(f"{direction}_results") or {}).get("audit") or []:
                    if check.get("verdict") == "suspicious":
                        text = f"{check['id']} is {check.get('value')}; expected: {check['expectation']}"
                        cause = {"cause": f"{direction_name.lower()}: {text}", "remedy": ""}
                        parts.append(_warning(where, cause))
    unique = list(dict.fromkeys(parts))
    return f"<h2>Warnings</h2>{''.join(unique)}" if unique else ""


def _warning(where: str, warning: dict[str, str]) -> str:
    remedy = f" <i>{_text(warning['remedy'])}</i>" if warning.get("remedy") else ""
    return f'<div class="warning"><b>{_text(where)}</b>: {_text(warning["cause"])}{remedy}</div>'


def compare(measured: list[Measurement], first: str, second: str) -> list[dict[str, Any]]:
    """What both documents have, with the change from the first to the second in percent; more is better."""
    before = {each.key(): each for each in measured if each.source == first}
    rows = []
    for each in measured:
        old = before.get(each.key())
        if each.source != second or old is None:
            continue
        old_p99, new_p99 = old.percentile(99), each.percentile(99)
        rows.append(
            {
                "label": f"{each.label()} {DIRECTIONS[each.direction].lower()}",
                "throughput": 100 * (each.messages_per_second / old.messages_per_second - 1),
                "p50": 100 * (old.latency["median_ns"] / each.latency["median_ns"] - 1),
                "p99": 100 * (old_p99 / new_p99 - 1) if old_p99 and new_p99 else None,
            }
        )
    return rows


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
        heading + _plot(figures.comparison_bars(rows, "Better or worse")) + _folded(_table(head, cells, 1), len(rows))
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f} %"


def _environment(sources: dict[str, dict[str, Any]]) -> str:
    systems = {
        name: _flat((document.get("metadata") or {}).get("system_info") or {}) for name, document in sources.items()
    }
    for name, document in sources.items():
        metadata = document.get("metadata") or {}
        systems[name]["began"] = metadata.get("timestamp", "")
        systems[name]["command"] = " ".join(metadata.get("command_line") or [])
    fields = list(dict.fromkeys(field for system in systems.values() for field in system))
    rows = [[field.replace("_", " "), *(system.get(field, "") for system in systems.values())] for field in fields]
    return "<h2>Environment</h2>" + _table(["", *systems], rows, len(systems) + 1)


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat.update(_flat(item, f"{prefix}{name} "))
        elif item is not None:
            flat[prefix + name] = ", ".join(map(str, item)) if isinstance(item, list) else item
    return flat


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
