# SPDX-License-Identifier: Apache-2.0
"""The plots of the report. Each function returns None where there is nothing to plot."""

import math
from collections.abc import Callable

import plotly.graph_objects as go

import axes
import panels
from measurements import Measurement, size_text
from panels import Style

PERCENTILE_TICKS = [0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999]
NARROW_TICKS = 6  # more do not fit below a small plot


def percentile_curves(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Latency by percentile: equal steps to the right are ten times rarer."""
    if not measurements:
        return None
    curves = {
        id(each): [(1 / (1 - percent / 100), value) for percent, value in each.curve() if percent < 100 and value > 0]
        for each in measurements
    }
    everything = [point for points in curves.values() for point in points]
    rarest = max(x for x, _ in everything)
    ticks = [tick for tick in PERCENTILE_TICKS if 1 / (1 - tick / 100) <= rarest * 1.001]
    if len(ticks) > NARROW_TICKS:
        ticks = [tick for tick in ticks if tick]

    def draw(each: Measurement, style: Style) -> list[go.Scatter]:
        return [
            _line(
                [x for x, _ in curves[id(each)]],
                [y for _, y in curves[id(each)]],
                style,
                shape="vh",
                customdata=[float(f"{100 - 100 / x:.6g}") for x, _ in curves[id(each)]],
                hover="%{customdata} %: %{y:,.0f} ns",
            )
        ]

    return panels.grid(
        title,
        _grouped(measurements),
        {
            "type": "log",
            "title": {"text": "percentile", "standoff": 4},
            "tickvals": [1 / (1 - tick / 100) for tick in ticks],
            "ticktext": [f"{tick:g} %" for tick in ticks],
            "range": [0, math.log10(rarest * 1.3)],
        },
        {"title": {"text": "latency"}, **axes.logarithmic((y for _, y in everything), axes.time_text)},
        draw,
    )


def histograms(measurements: list[Measurement], title: str) -> go.Figure | None:
    """How many messages took how long. Buckets differ in width, so shares are of equal parts of the axis."""
    measurements = [each for each in measurements if each.histogram]
    if not measurements:
        return None
    shares = {id(each): _shares(each.histogram) for each in measurements}

    def draw(each: Measurement, style: Style) -> list[go.Scatter]:
        x, y = shares[id(each)]
        hover = "%{y:.2f} % at about %{x:,.0f} ns"
        return [_line(x, y, style, shape="hvh", width=1.5, fill="tozeroy", hover=hover)]

    times = [at for x, y in shares.values() for at, share in zip(x, y, strict=True) if share > 0]
    return panels.grid(
        title,
        _grouped(measurements),
        {"title": {"text": "latency", "standoff": 4}, **axes.logarithmic(times, axes.time_text)},
        {"title": {"text": "share of messages (%)"}, "rangemode": "tozero"},
        draw,
    )


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
        [float(f"{100 * bins.get(index, 0) / total:.5g}") for index in indexes],
    )


def throughput_bars(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Throughput of each setting, the mean with the range of its runs.

    Not of an open loop: there it is what was asked for, and says nothing.
    """
    measurements = [each for each in measurements if not each.offered_rate] or measurements
    if not measurements:
        return None
    settings = _grouped(measurements)
    styles = panels.styles(measurements)
    bars = len({(*_look(each), each.setting()) for each in measurements})
    bar = next(pixels for most, pixels in _BAR_PIXELS if bars <= most)
    figure = panels.single(
        title,
        [style.name for style in styles.values()],
        {
            "title": {"text": "throughput (MB/s, 10⁶ bytes)"},
            **axes.logarithmic((each.megabytes_per_second for each in measurements), room_below=2),
        },
        # Downwards in the order of the document; names of settings are long, and lie.
        {
            "automargin": True,
            "ticksuffix": " ",
            "categoryarray": list(settings),
            "range": [len(settings) - 0.5, -0.5],
            "dtick": 1,
        },
        height=panels.EDGES + len(settings) * (len(styles) * bar + _BAR_GAP_PIXELS),
    )
    for key, style in styles.items():
        runs = [own for group in settings.values() if (own := [each for each in group if _look(each) == key])]
        means = [_mean(each.megabytes_per_second for each in own) for own in runs]
        figure.add_bar(
            orientation="h",
            x=means,
            y=[own[0].setting() for own in runs],
            name=style.name,
            marker={"color": style.color, "pattern": {"shape": ["", "/", "x", "."][style.document % 4]}},
            error_x=_range_of(runs, means),
            hovertext=[_throughput_text(own) for own in runs],
            hovertemplate="%{hovertext}<extra>%{fullData.name}, %{y}</extra>",
        )
    figure.update_layout(
        barmode="group", bargap=_BAR_GAP_PIXELS / (len(styles) * bar + _BAR_GAP_PIXELS), bargroupgap=0.05
    )
    return panels.with_axis_on_top(figure)


# Up to so many bars: so thick.
_BAR_PIXELS = ((8, 20), (40, 14), (math.inf, 8))
_BAR_GAP_PIXELS = 10


def _look(measurement: Measurement) -> tuple[str, str]:
    """What a style is for."""
    return measurement.source, measurement.mechanism


def _range_of(runs: list[list[Measurement]], means: list[float]) -> dict:
    """Error bars from the least to the most of the runs."""
    speeds = [[each.megabytes_per_second for each in own] for own in runs]
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(each) - mean for each, mean in zip(speeds, means, strict=True)],
        "arrayminus": [mean - min(each) for each, mean in zip(speeds, means, strict=True)],
        "visible": any(len(each) > 1 for each in speeds),
        "thickness": 1,
        "width": 3,
        "color": "#1d2433",
    }


def _throughput_text(runs: list[Measurement]) -> str:
    speeds = [each.megabytes_per_second for each in runs]
    rate = _mean(each.messages_per_second for each in runs)
    text = f"{_mean(speeds):,.1f} MB/s, {rate:,.0f} msg/s"
    return text if len(runs) == 1 else f"{text}; {len(runs)} runs, {min(speeds):,.1f} to {max(speeds):,.1f} MB/s"


def scaling_curves(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Messages a second by the number of endpoints."""
    measurements = [each for each in measurements if not each.offered_rate]
    return _curves(
        measurements,
        title,
        "concurrency",
        lambda each: each.concurrency,
        lambda each: each.messages_per_second,
        ("endpoints at the same time", str),
        ("messages/s", axes.count_text),
    )


def size_curves(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Median latency by size."""
    return _curves(
        measurements,
        title,
        "size",
        lambda each: each.size,
        lambda each: each.latency["median_ns"],
        ("message size", size_text),
        ("median latency", axes.time_text),
    )


def saturation_curves(measurements: list[Measurement], title: str) -> go.Figure | None:
    """Latency by the rate that was offered: where it rises steeply, the transport is full."""
    measurements = [each for each in measurements if each.offered_rate]
    p99 = _curves(
        measurements,
        title,
        "rate",
        lambda each: each.offered_rate,
        lambda each: each.percentile(99),
        ("offered messages/s", axes.count_text),
        ("latency", axes.time_text),
        below=lambda each: each.latency["median_ns"],
    )
    if p99:
        p99.update_layout(title={"text": title, "subtitle": {"text": _SATURATION_KEY, "font": {"size": 12}}})
    return p99


_SATURATION_KEY = "thick: 99th percentile, thin: median; ✕: the rate was not reached, latency is of a growing queue"


def _curves(
    measurements: list[Measurement],
    title: str,
    along: str,
    x: Callable[[Measurement], float],
    y: Callable[[Measurement], float | None],
    x_name: tuple[str, Callable],
    y_name: tuple[str, Callable],
    below: Callable[[Measurement], float] | None = None,
) -> go.Figure | None:
    """Lines along one of the settings, in a plot for each of the others. Only where there is more than one x."""
    measurements = [each for each in measurements if x(each) and y(each)]
    groups = {
        name: group for name, group in _grouped(measurements, along).items() if len({x(each) for each in group}) > 1
    }
    if not groups:
        return None
    shown = [each for group in groups.values() for each in group]

    def draw(own: list[Measurement], style: Style) -> list[go.Scatter]:
        points: dict[float, list[Measurement]] = {}
        for each in own:
            points.setdefault(x(each), []).append(each)
        xs = sorted(points)
        ys = [_mean(map(y, points[at])) for at in xs]
        text = [f"{x_name[1](at)}: {y_name[1](_rounded(value))}" for at, value in zip(xs, ys, strict=True)]
        lines = [_line(xs, ys, style, hovertext=text)]
        symbols = ["circle" if all(each.reached for each in points[at]) else "x" for at in xs]
        lines[0].update(mode="lines+markers", marker={"symbol": symbols, "size": 8, "color": style.color})
        if below:
            medians = [_mean(map(below, points[at])) for at in xs]
            text = [f"{x_name[1](at)}, median: {y_name[1](_rounded(m))}" for at, m in zip(xs, medians, strict=True)]
            lines.append(_line(xs, medians, style, width=1, hovertext=text, showlegend=False))
        return lines

    values = [f(each) for each in shown for f in (y, below) if f]
    return panels.grid(
        title,
        groups,
        {"title": {"text": x_name[0], "standoff": 4}, **axes.at_values(map(x, shown), x_name[1])},
        {"title": {"text": y_name[0]}, **axes.logarithmic(values, y_name[1])},
        draw,
        together=True,
    )


def _mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def _grouped(measurements: list[Measurement], *without: str) -> dict[str, list[Measurement]]:
    """By everything but the mechanism, the document, and what the lines run along."""
    groups: dict[str, list[Measurement]] = {}
    for each in measurements:
        groups.setdefault(each.setting(*without), []).append(each)
    return groups


def _line(x, y, style: Style, shape="linear", width=2.0, hover="%{hovertext}", **more) -> go.Scatter:
    line = {"shape": shape, "dash": style.dash, "color": style.color, "width": width}
    short = [float(f"{value:.7g}") for value in x]  # every digit is in the page
    return go.Scatter(
        x=short, y=y, mode="lines", line=line, hovertemplate=f"{hover}<extra>{style.name}</extra>", **more
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def comparison_plot(rows: list[dict], title: str) -> go.Figure | None:
    """How many times better each figure of the second document is; on a ratio axis twice and half are as far from 1."""
    if not rows:
        return None
    kinds = (
        ("throughput", "throughput", "square"),
        ("p50", "median latency", "circle"),
        ("p99", "p99 latency", "diamond"),
    )
    ratios = {name: [_ratio(row[name]) for row in rows] for name, _, _ in kinds}
    values = [value for column in ratios.values() for value in column if value]
    furthest = max(1.25, *(max(value, 1 / value) for value in values)) * 1.05
    steps = next(steps for most, steps in _RATIO_STEPS if furthest <= most)
    ticks = [1, *(step for step in steps if step <= furthest)]
    figure = panels.single(
        title,
        [text for _, text, _ in kinds],
        {
            "type": "log",
            "range": [-math.log10(furthest), math.log10(furthest)],
            "tickvals": [*(1 / tick for tick in ticks[:0:-1]), *ticks],
            "ticktext": [*(f"÷{tick:g}" for tick in ticks[:0:-1]), "same", *(f"×{tick:g}" for tick in ticks[1:])],
            "title": {"text": "← worse · better →"},
        },
        {"automargin": True, "range": [len(rows) - 0.5, -0.5], "dtick": 1},
        height=panels.EDGES + _COMPARISON_ROW * len(rows),
    )
    for name, text, symbol in kinds:
        figure.add_scatter(
            x=ratios[name],
            y=[row["label"] for row in rows],
            name=text,
            mode="markers",
            marker={"symbol": symbol, "size": 9, "opacity": 0.8},
            customdata=[row[name] for row in rows],
            hovertemplate=f"%{{y}}: {text} %{{customdata:+.1f}} %<extra></extra>",
        )
    figure.add_vline(x=1, line={"color": "#67718a", "width": 1})
    return panels.with_axis_on_top(figure)


# Up to so many times better or worse: these ticks.
_RATIO_STEPS = (
    (2.2, (1.1, 1.25, 1.5, 2)),
    (20, (2, 4, 8, 16)),
    (math.inf, tuple(4**power for power in range(1, 12))),
)
_COMPARISON_ROW = 22


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else 1 + percent / 100
