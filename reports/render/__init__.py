"""Text and SVG for the report."""
