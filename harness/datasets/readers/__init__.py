"""Readers of annotation formats, one per file: from text to rows."""
