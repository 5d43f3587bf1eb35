"""Charts as SVG, made on the server from plain numbers: no script, no database, colours by CSS classes."""

from pages.charts.bars import Bar, bars
from pages.charts.columns import Series, areas, columns
from pages.charts.figure import Chart, Slot
from pages.charts.heat import HeatRow, heat
from pages.charts.percentiles import bands

__all__ = ["Bar", "Chart", "HeatRow", "Series", "Slot", "areas", "bands", "bars", "columns", "heat"]
