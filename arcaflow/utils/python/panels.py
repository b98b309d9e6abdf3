# SPDX-License-Identifier: Apache-2.0
"""A grid of small plots, one for each thing that was measured, each with one line for each mechanism.

A mechanism has the same colour everywhere, a document the same dashes; all plots of a grid have the same axes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from measurements import Measurement

MAX_PANELS = 24  # more are not looked at, and make the page heavy
COLUMNS = 2
_ROW_HEIGHT, _SINGLE_HEIGHT, _TOP, _BOTTOM = 300, 480, 96, 60
EDGES = _TOP + _BOTTOM  # of a figure's height, what is not plot
_LEGEND_WIDTH, _LEGEND_LINE, _LEGEND_MARK, _LETTER = 1050, 24, 48, 6.6
DASHES = ["solid", "dash", "dot", "dashdot"]
_COLORS = {"uds": "#636efa", "tcp": "#ef553b", "shm": "#00cc96", "pmq": "#ab63fa"}
_MORE_COLORS = ["#ffa15a", "#19d3f3", "#ff6692", "#8c564b", "#7f7f7f", "#bcbd22"]


@dataclass
class Style:
    """What the lines of one mechanism of one document look like."""

    name: str
    color: str
    dash: str
    document: int


def styles(measurements: list[Measurement]) -> dict[tuple[str, str], Style]:
    """By document and mechanism."""
    sources = list(dict.fromkeys(each.source for each in measurements))
    others = list(dict.fromkeys(each.mechanism for each in measurements if each.mechanism not in _COLORS))
    colors = _COLORS | {name: _MORE_COLORS[i % len(_MORE_COLORS)] for i, name in enumerate(others)}
    found = {}
    for each in measurements:
        number = sources.index(each.source)
        name = each.mechanism if len(sources) == 1 else f"{each.mechanism}, {each.source}"
        found[each.source, each.mechanism] = Style(name, colors[each.mechanism], DASHES[number % len(DASHES)], number)
    return dict(sorted(found.items(), key=lambda item: (_order(item[0][1]), item[1].document)))


def _order(mechanism: str) -> tuple[int, str]:
    known = list(_COLORS)
    return (known.index(mechanism), "") if mechanism in known else (len(known), mechanism)


def single(
    title: str, names: list[str], x_axis: dict[str, Any], y_axis: dict[str, Any], height: int = _SINGLE_HEIGHT
) -> go.Figure:
    """A figure of one plot. `names`: what the legend will hold."""
    return _laid_out(make_subplots(rows=1, cols=1), title, names, height, x_axis, y_axis)


def with_axis_on_top(figure: go.Figure) -> go.Figure:
    """For a plot that may be longer than a screen."""
    margin = figure.layout.margin
    top = margin.t + 34
    plot = max(40, figure.layout.height - margin.t - margin.b)  # of a lower one, plotly puts the legend beside it
    figure.update_xaxes(side="top")
    figure.update_layout(margin={"t": top, "b": 20}, height=top + plot + 20, legend_y=1 + 64 / plot)
    return figure


def grid(
    title: str,
    groups: dict[str, list[Measurement]],
    x_axis: dict[str, Any],
    y_axis: dict[str, Any],
    draw: Callable[[Measurement, Style], list[go.Scatter]] | Callable[[list[Measurement], Style], list[go.Scatter]],
    together: bool = False,
) -> go.Figure:
    """`draw` makes the lines of one measurement or, with `together`, of all of a mechanism in a plot."""
    groups = dict(list(groups.items())[:MAX_PANELS])
    columns = min(COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    height = _height(rows)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=list(groups) if set(groups) != {""} else None,
        horizontal_spacing=0.09,
        vertical_spacing=0 if rows == 1 else 84 / (height - EDGES),
    )
    looks = styles([each for group in groups.values() for each in group])
    named: set[str] = set()
    for place, group in enumerate(groups.values()):
        for key, style in looks.items():
            own = [each for each in group if (each.source, each.mechanism) == key]
            if not own:
                continue
            for line in draw(own, style) if together else [line for each in own for line in draw(each, style)]:
                shown = line.showlegend is not False and style.name not in named
                named |= {style.name} if shown else set()
                line.update(name=line.name or style.name, legendgroup=style.name, showlegend=shown)
                figure.add_trace(line, row=place // columns + 1, col=place % columns + 1)
    return _laid_out(figure, title, [style.name for style in looks.values()], height, x_axis, y_axis)


def _height(rows: int) -> int:
    return _SINGLE_HEIGHT if rows == 1 else EDGES + rows * _ROW_HEIGHT


def _legend_lines(names: list[str]) -> int:
    """Lines that a legend takes on a page of usual width; its columns are as wide as the longest name."""
    per_line = max(1, int(_LEGEND_WIDTH / (_LEGEND_MARK + _LETTER * max(map(len, names), default=0))))
    return max(1, -(-len(names) // per_line))


def _laid_out(
    figure: go.Figure, title: str, names: list[str], height: int, x_axis: dict[str, Any], y_axis: dict[str, Any]
) -> go.Figure:
    # The legend grows upwards, where the title and the buttons are.
    more = (_legend_lines(names) - 1) * _LEGEND_LINE
    figure.update_layout(
        title={"text": title, "x": 0.01, "y": 1 - 18 / (height + more), "yanchor": "top", "font": {"size": 17}},
        template="plotly_white",
        height=height + more,
        margin={"l": 76, "r": 20, "t": _TOP + more, "b": _BOTTOM},
        legend={
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": 1 + 30 / (height - EDGES),
            "yanchor": "bottom",
            "font": {"size": 12},
        },
        hovermode="closest",
        showlegend=True,
    )
    figure.update_annotations(font_size=13)
    figure.update_xaxes(**x_axis)
    figure.update_yaxes(**y_axis)
    # Every plot keeps its ticks; the titles of axes stand at the edge only.
    for axis in figure.select_yaxes():
        if axis.anchor not in ("x", "x1") and (int(axis.anchor[1:]) - 1) % COLUMNS:
            axis.title.text = ""
    return figure
