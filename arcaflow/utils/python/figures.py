# SPDX-License-Identifier: Apache-2.0
"""The plots of the report. Each function returns None where there is nothing to plot."""

import math

import plotly.graph_objects as go
from measurements import Measurement, size_text

MAX_CURVES = 24  # more cannot be told apart
FILLED_CURVES = 4  # more hide each other
PERCENTILE_TICKS = [0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999]
DASHES = ["solid", "dash", "dot", "dashdot"]


def _figure(title: str, x: str, y: str, **axes) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "x": 0.01, "font": {"size": 16}},
        template="plotly_white",
        height=460,
        margin={"l": 70, "r": 20, "t": 50, "b": 60},
        legend={"font": {"size": 11}},
        hovermode="closest",
        showlegend=True,
        xaxis={"title": {"text": x}, **axes.get("xaxis", {})},
        yaxis={"title": {"text": y}, **axes.get("yaxis", {})},
    )
    return figure


def _names(measurements: list[Measurement]) -> list[str]:
    """Labels, with the document where there is more than one."""
    several = len({each.source for each in measurements}) > 1
    return [f"{each.source}: {each.label()}" if several else each.label() for each in measurements]


def percentile_curves(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Latency by percentile: equal steps to the right are ten times rarer."""
    if not measurements:
        return None
    ticks = [1 / (1 - tick / 100) for tick in PERCENTILE_TICKS]
    figure = _figure(
        title,
        "percentile",
        "latency (ns)",
        xaxis={"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g} %" for tick in PERCENTILE_TICKS]},
        yaxis={"type": "log", "exponentformat": "SI"},
    )
    sources = list(dict.fromkeys(each.source for each in measurements))
    for each, name in list(zip(measurements, _names(measurements), strict=True))[:MAX_CURVES]:
        points = [(1 / (1 - percent / 100), value) for percent, value in each.curve() if percent < 100 and value > 0]
        figure.add_scatter(
            x=[point[0] for point in points],
            y=[point[1] for point in points],
            name=name,
            mode="lines",
            line={"shape": "vh", "dash": DASHES[sources.index(each.source) % len(DASHES)]},
            hovertemplate="%{y:,.0f} ns<extra>%{fullData.name}</extra>",
        )
    return figure


def histograms(measurements: list[Measurement], title: str) -> go.Figure | None:
    """How many messages took how long. Buckets differ in width, so shares are of a doubling of the latency."""
    measurements = [each for each in measurements if each.histogram]
    if not measurements:
        return None
    figure = _figure(title, "latency (ns)", "share of messages (%)", xaxis={"type": "log", "exponentformat": "SI"})
    for each, name in list(zip(measurements, _names(measurements), strict=True))[:MAX_CURVES]:
        x, y = _shares(each.histogram)
        fill = "tozeroy" if len(measurements) <= FILLED_CURVES else "none"
        figure.add_scatter(x=x, y=y, name=name, mode="lines", line={"shape": "hvh", "width": 1.5}, fill=fill)
    return figure


def _shares(histogram: list[tuple[int, int, int]], per_decade: int = 25) -> tuple[list[float], list[float]]:
    """Shares in bins of equal width on a logarithmic axis."""
    total = sum(count for _, _, count in histogram)
    bins: dict[int, int] = {}
    for lowest, highest, count in histogram:
        middle = max(1.0, (lowest + highest) / 2)
        index = math.floor(math.log10(middle) * per_decade)
        bins[index] = bins.get(index, 0) + count
    first, last = min(bins) - 1, max(bins) + 1
    indexes = range(first, last + 1)
    return (
        [10 ** ((index + 0.5) / per_decade) for index in indexes],
        [100 * bins.get(index, 0) / total for index in indexes],
    )


def throughput_bars(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Throughput of each measurement, one group of bars a document."""
    if not measurements:
        return None
    figure = _figure(title, "", "throughput (MB/s, 10⁶ bytes)", yaxis={"type": "log"})
    for source in dict.fromkeys(each.source for each in measurements):
        own = [each for each in measurements if each.source == source]
        figure.add_bar(
            x=[each.label() for each in own],
            y=[each.megabytes_per_second for each in own],
            customdata=[each.messages_per_second for each in own],
            name=source,
            hovertemplate="%{y:,.1f} MB/s, %{customdata:,.0f} messages/s<extra>%{x}</extra>",
        )
    figure.update_layout(barmode="group")
    return figure


def _lines_by(measurements, title, x_title, y_title, x, y, group, x_axis) -> go.Figure | None:
    """One line for each group that has more than one x."""
    groups: dict[str, dict[float, list[float]]] = {}
    for each, name in zip(measurements, map(group, measurements), strict=True):
        if x(each) is not None and y(each) is not None:
            groups.setdefault(name, {}).setdefault(x(each), []).append(y(each))
    groups = {name: points for name, points in groups.items() if len(points) > 1}
    if not groups:
        return None
    figure = _figure(title, x_title, y_title, xaxis=x_axis, yaxis={"type": "log", "exponentformat": "SI"})
    for name, points in groups.items():
        xs = sorted(points)
        figure.add_scatter(x=xs, y=[sum(points[at]) / len(points[at]) for at in xs], name=name, mode="lines+markers")
    return figure


def _group(measurements: list[Measurement], *without: str):
    """Names what stays the same along a line."""
    several = len({each.source for each in measurements}) > 1

    def name(each: Measurement) -> str:
        parts = [each.source + ":"] if several else []
        parts.append(each.mechanism)
        parts += [] if "size" in without else [size_text(each.size)]
        parts.append(each.method)
        parts += [] if "concurrency" in without or each.concurrency == 1 else [f"×{each.concurrency}"]
        parts += [] if "rate" in without or not each.offered_rate else [f"{each.offered_rate:,.0f}/s"]
        return " ".join(parts + [f"{key} {value}" for key, value in sorted(each.details.items())])

    return name


def scaling_curves(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Messages a second by the number of endpoints."""
    return _lines_by(
        measurements,
        title,
        "endpoints at the same time",
        "messages/s",
        lambda each: each.concurrency,
        lambda each: each.messages_per_second,
        _group(measurements, "concurrency"),
        {"type": "log", "dtick": 0.30103},
    )


def size_curves(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Median latency by size."""
    return _lines_by(
        measurements,
        title,
        "message size (bytes)",
        "median latency (ns)",
        lambda each: each.size or None,
        lambda each: each.latency["median_ns"],
        _group(measurements, "size"),
        {"type": "log"},
    )


def saturation_curves(measurements: list[Measurement], title: str) -> go.Figure | None:
    """99th percentile by the rate that was offered: where it rises steeply, the transport is full."""
    return _lines_by(
        [each for each in measurements if each.offered_rate],
        title,
        "offered messages/s",
        "p99 latency (ns)",
        lambda each: each.offered_rate,
        lambda each: each.percentile(99),
        _group(measurements, "rate"),
        {"type": "log", "exponentformat": "SI"},
    )


def comparison_bars(rows: list[dict], title: str) -> go.Figure | None:
    """Change of each figure from the first document to the second, in percent; better is to the right of zero."""
    if not rows:
        return None
    figure = _figure(title, "better by (%)", "")
    labels = [row["label"] for row in rows]
    for name, text in (("throughput", "throughput"), ("p50", "median latency"), ("p99", "p99 latency")):
        figure.add_bar(y=labels, x=[row[name] for row in rows], name=text, orientation="h")
    figure.update_layout(barmode="group", height=max(460, 140 + 60 * len(rows)), yaxis={"automargin": True})
    return figure
