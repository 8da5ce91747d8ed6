"""Rendering of the report: text, SVG figures, Markdown tables and the scale of difference plots."""
