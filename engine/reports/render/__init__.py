"""A report as one HTML file: no script, no request to anywhere, light, dark and print."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from engine.reports.figures import figures
from engine.reports.model import Report
from engine.reports.render import charts, plots

_INTERVAL = re.compile(r"[\d.×]{1,40} \[[^\]]{0,40}\]")

if TYPE_CHECKING:
    from engine.store.shares import Share

__all__ = ["export_html", "page_html"]


def export_html(report: Report) -> str:
    """The report as a file that needs nothing beside itself."""
    return page_html(report)


def page_html(report: Report, share: Share | None = None, *, interactive: str | None = None) -> str:
    """The page of a report. With ``share`` it says that it is a snapshot and until when.

    ``interactive`` is the address of the live page, when there is one to go to.
    """
    found = figures(report)
    return _template().render(
        report=report,
        figures=found,
        share=share,
        interactive=interactive,
        chart={
            "forest": Markup(charts.forest(found.forest)) if found.forest else "",
            "latency": Markup(charts.latency(found)),
            "memory": Markup(charts.memory(found)),
            "sizes": Markup(charts.sizes(found)),
            "distribution": Markup(charts.distribution(found)),
            "order": Markup(charts.order(found)),
        }
        if found.variants
        else {},
        keys={v.key: Markup(charts.key(v)) for v in found.variants},
        sections=tuple(
            (
                section,
                tuple(
                    (
                        Markup(plots.drawn(plot)),
                        tuple((one.name, Markup(plots.key(one, plot.kind))) for one in plot.series),
                    )
                    for plot in section.plots
                ),
            )
            for section in found.sections
        ),
        beside=tuple(
            (
                reference,
                Markup(charts.measured_rows(reference)),
                Markup(charts.reference_rows(reference)),
            )
            for reference in found.references
        ),
    )


@cache
def _template() -> Template:
    """The template, with escaping of everything that is not our own SVG."""
    house = Environment(
        loader=PackageLoader("engine.reports.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    house.filters["together"] = _together
    return house.get_template("report.html")


def _together(text: str) -> str:
    """Keep ``71.2 [70.1, 73.0]`` on one line: an interval is read as one thing."""
    return _INTERVAL.sub(lambda found: found.group().replace(" ", "\N{NO-BREAK SPACE}"), text)
