"""Charts of a report: pure functions from figures to a picture, its words and its table."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

import engine
from engine import Comparison, Figures, Report
from pages.components import table
from pages.components.table import Tabular

LIGHT = ("#0072B2", "#B35900", "#007A5A", "#A8417F", "#6A51A3", "#8A6D00")
DARK = ("#56B4E9", "#E69F00", "#2FBF98", "#E08AB8", "#A897E0", "#E3CF57")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "x")
HATCHES = ("", "/", "x", ".", "\\", "+")
INK = {False: "#1B1F24", True: "#E6E8EB"}
BAR_PX = 62
Interval = tuple[float, float]
_LOG_FROM = 6.0


class Picture(go.Figure):  # type: ignore[misc]  # plotly is untyped
    """A finished figure: turned into a dictionary once, for Streamlit asks for it at every run."""

    def to_dict(self) -> dict[str, Any]:
        """What is sent to the browser. The figure must not be changed any more."""
        if not hasattr(self, "_finished"):
            self._finished: dict[str, Any] = super().to_dict()
        return self._finished


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, the sentence that says what it shows, and the figures behind it."""

    figure: Picture
    alt: str
    table: Tabular


@dataclass(frozen=True, slots=True)
class _Rows:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    value: float
    shown: str
    colour: int
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> Interval | None:
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True, slots=True)
class Charts:
    """Every chart of a report that measured something; a reference for each printed column."""

    latency: Chart
    distribution: Chart
    references: tuple[Chart, ...]
    memory: Chart
    sizes: Chart
    order: Chart


def kept(report: Report, *, dark: bool) -> tuple[Figures, Charts | None]:
    """The figures of a report and its charts in one theme, None where nothing was measured."""
    return _kept(report.id, content(report), dark, report)


def content(report: Report) -> int:
    """What tells a report from an earlier one of its id, to keep what was drawn of it."""
    if report.measurement is None:
        return hash(report.title)
    found = report.measurement
    facts = tuple(found.environment.facts.items())
    studied = tuple(len(getattr(found, name)) for name in engine.list_studies())
    return hash((report.title, found.blocks, found.memory, facts, studied))


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept(
    report_id: str, content: int, dark: bool, _report: Report
) -> tuple[Figures, Charts | None]:
    """Worked out once and shared by every session, since both are frozen.

    It stands here and not in the page, where it would be decorated anew at every run.
    """
    found = engine.figures(_report)
    return found, of_report(found, dark=dark) if found.variants else None


def of_report(found: Figures, *, dark: bool) -> Charts:
    """All of them at once: building takes a tenth of a second, so that the result is kept."""
    return Charts(
        latency=latency(found, dark=dark),
        distribution=distribution(found, dark=dark),
        references=tuple(reference(found, i, dark=dark) for i in range(len(found.references))),
        memory=memory(found, dark=dark),
        sizes=sizes(found, dark=dark),
        order=run_order(found, dark=dark),
    )


def draw(chart: Chart, key: str, *, behind: str = "The figures behind this chart") -> None:
    """Show a chart with its figures one click beneath; none where the next chart has the same."""
    st.plotly_chart(chart.figure, alt=chart.alt, key=key, config={"displayModeBar": False})
    if behind:
        table.folded(behind, chart.table, f"{key}-figures")


def latency(found: Figures, *, dark: bool) -> Chart:
    """Medians with their intervals."""
    bars = [
        _Bar(v.name, v.typical_ms, f"{digits(v.typical_ms)} ms", v.colour, v.p50.low, v.p50.high)
        for v in found.variants
    ]
    return Chart(_bars(bars, dark), found.takeaways.latency, found.latency)


def memory(found: Figures, *, dark: bool) -> Chart:
    """Peak memory above the imported framework."""
    bars = [
        _Bar(v.name, v.memory_mib, f"{digits(v.memory_mib)} MiB", v.colour)
        for v in found.variants
        if v.memory_mib is not None
    ]
    return Chart(_bars(bars, dark), found.takeaways.memory, found.memory)


def sizes(found: Figures, *, dark: bool) -> Chart:
    """Files on the disk."""
    bars = [_Bar(v.name, v.size_mib, f"{digits(v.size_mib)} MiB", v.colour) for v in found.variants]
    listed = "; ".join(f"{bar.label} {bar.shown}" for bar in bars)
    return Chart(_bars(bars, dark), f"File on the disk: {listed}.", found.memory)


def distribution(found: Figures, *, dark: bool) -> Chart:
    """The empirical distribution of every variant, up to the slowest hundredth."""
    figure = go.Figure()
    for v in found.variants:
        points = [p for p in v.ecdf if p[1] <= 0.99 or len(v.ecdf) < 100]
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[share for _, share in points],
            name=html.escape(v.name),
            mode="lines",
            line={
                "shape": "hv",
                "width": 2.5,
                "color": paint(v.colour, dark),
                "dash": DASHES[v.colour % len(DASHES)],
            },
            hovertemplate="%{y:.0%} within %{x:.3~g} ms<extra>%{fullData.name}</extra>",
        )
    values = [x for v in found.variants for x, _ in v.ecdf]
    axes(figure, "Latency, ms", values, across=True)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02], title=None)
    return Chart(laid_out(figure, 380), found.takeaways.distribution, found.latency)


def run_order(found: Figures, *, dark: bool) -> Chart:
    """Every process's median in the order it ran; hollow marks belong to discarded rounds."""
    figure = go.Figure()
    for v in found.variants:
        blocks = [block for block in found.blocks if block.variant == v.key]
        symbol = SYMBOLS[v.colour % len(SYMBOLS)]
        figure.add_scatter(
            x=[block.position for block in blocks],
            y=[block.p50_ms for block in blocks],
            name=html.escape(v.name),
            mode="markers",
            marker={
                "color": paint(v.colour, dark),
                "size": 10,
                "symbol": [f"{symbol}-open" if block.discarded else symbol for block in blocks],
            },
            hovertemplate="process %{x}: %{y:.3~g} ms<extra>%{fullData.name}</extra>",
        )
    axes(figure, "Median, ms", [block.p50_ms for block in found.blocks], across=False)
    figure.update_xaxes(title="Process, as it ran", showgrid=False)
    names = {v.key: v.name for v in found.variants}
    rows = [
        (
            str(block.position),
            str(block.round + 1),
            names[block.variant],
            digits(block.p50_ms),
            block.discarded or "",
        )
        for block in found.blocks
        if block.variant in names
    ]
    listed = _Rows(("Process", "Round", "Variant", "Median, ms", "Discarded"), tuple(rows))
    return Chart(laid_out(figure, 320), found.takeaways.order, listed)


def reference(found: Figures, index: int, *, dark: bool) -> Chart:
    """What was measured above, the printed table below: two panels, each on a scale of its own."""
    beside = found.references[index]
    here, printed = (
        [_beside(bar, beside.unit) for bar in bars] for bars in (beside.measured, beside.printed)
    )
    shown = (
        ("Measured", here, False),
        (f"Reference, other machine ({beside.hardware})", printed, True),
    )
    alt = f"{beside.takeaway} Two panels, two machines."
    return Chart(_panels(shown, dark), alt, beside.table)


def side_by_side(found: Comparison, *, dark: bool) -> Chart:
    """Median latencies, a panel a machine, each on a scale of its own."""
    shown = []
    for machine in dict.fromkeys(one.machine for one in found.reports):
        here = [(at, one) for at, one in enumerate(found.reports) if one.machine == machine]
        bars = [
            _Bar(
                row.name if len(here) == 1 else f"{row.name} · {one.letter}",
                v.typical_ms,
                f"{digits(v.typical_ms)} ms",
                row.colour,
                v.p50.low,
                v.p50.high,
            )
            for row in found.rows
            for at, one in here
            if (v := row.cells[at]) is not None
        ]
        letters = ", ".join(one.letter for _, one in here)
        if bars:
            shown.append((f"{letters} · {html.escape(here[0][1].place)}", bars, False))
    return Chart(_panels(shown, dark), found.sentence, found.latency)


def _panels(shown: Sequence[tuple[str, list[_Bar], bool]], dark: bool) -> Picture:
    """Panels of bars under each other, titled, each with a scale of its own; hatched if so."""
    height = BAR_PX * sum(len(bars) for _, bars, _ in shown) + 95 * len(shown)
    figure = make_subplots(
        rows=len(shown),
        cols=1,
        row_heights=[max(1, len(bars)) for _, bars, _ in shown],
        vertical_spacing=80 / (height - 80),
        subplot_titles=[title for title, _, _ in shown],
    )
    figure.update_annotations(x=0, xanchor="left", font={"size": 15, "color": INK[dark]})
    for row, (_, bars, hatched) in enumerate(shown, 1):
        _add_bars(figure, bars, dark, row=row, hatched=hatched)
    return laid_out(figure, height, top=44)


def _bars(bars: list[_Bar], dark: bool) -> Picture:
    figure = go.Figure()
    _add_bars(figure, bars, dark)
    return laid_out(figure, BAR_PX * len(bars) + 40, top=10)


def _add_bars(
    figure: go.Figure,
    bars: list[_Bar],
    dark: bool,
    *,
    row: int | None = None,
    hatched: bool = False,
) -> None:
    """Label and value stand above each bar, so that a narrow screen has room for both."""
    place: dict[str, Any] = {} if row is None else {"row": row, "col": 1}
    for at, bar in enumerate(bars):
        colour = paint(bar.colour, dark) if bar.colour >= 0 else "#7A8590"
        hatch = {"shape": "/", "fgcolor": colour, "bgcolor": "rgba(0,0,0,0)", "size": 7}
        figure.add_bar(
            x=[bar.value],
            y=[at],
            orientation="h",
            width=0.34,
            name=html.escape(bar.label),
            marker={
                "color": "rgba(0,0,0,0)" if hatched else colour,
                "line": {"color": colour, "width": 1.5 if hatched else 0},
                "pattern": hatch if hatched else {},
            },
            error_x=whisker(bar.value, bar.interval, INK[dark]),
            hovertemplate=f"{html.escape(bar.shown)}<extra>%{{fullData.name}}</extra>",
            **place,
        )
        figure.add_annotation(
            x=0,
            y=at - 0.24,
            text=f"{html.escape(bar.label)}  <b>{html.escape(bar.shown)}</b>",
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 14, "color": INK[dark]},
            **place,
        )
    figure.update_yaxes(visible=False, range=[len(bars) - 0.6, -0.75], **place)
    figure.update_xaxes(rangemode="tozero", zeroline=False, nticks=5, **place)


def whisker(value: float, interval: Interval | None, colour: str) -> dict[str, Any]:
    """The 95 % interval around a mark; nothing where there is none."""
    if interval is None:
        return {"visible": False}
    low, high = interval
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value],
        "arrayminus": [value - low],
        "color": colour,
        "thickness": 1.5,
        "width": 5,
    }


def axes(figure: go.Figure, title: str, values: Iterable[float], *, across: bool) -> None:
    """Name the value axis; make it logarithmic where the values span far."""
    found = list(values)
    log = bool(found) and max(found) > _LOG_FROM * min(found)
    update = figure.update_xaxes if across else figure.update_yaxes
    update(title=title, type="log" if log else "linear", nticks=6)
    if log:
        steps = [k * 10.0**power for power in range(-6, 8) for k in (1, 2, 5)]
        shown = [step for step in steps if min(found) * 0.8 <= step <= max(found) * 1.25]
        update(tickvals=shown, ticktext=[f"{step:,.10g}" for step in shown])


def laid_out(
    figure: go.Figure, height: int, *, top: int = 30, legend: bool | None = None
) -> Picture:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": top, "b": 36},
        showlegend=any(trace.type == "scatter" for trace in figure.data)
        if legend is None
        else legend,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 14}},
        font={"size": 13},
        dragmode=False,
    )
    return Picture(figure)


def _beside(bar: Any, unit: str) -> _Bar:
    shown = f"{digits(bar.value)} {unit}" + (f" · {bar.ratio:.2f}×" if bar.ratio else "")
    colour = -1 if bar.colour is None else bar.colour
    return _Bar(bar.label, bar.value, shown, colour, bar.low, bar.high)


def digits(value: float) -> str:
    """Three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def paint(index: int, dark: bool) -> str:
    palette = DARK if dark else LIGHT
    return palette[index % len(palette)]
