"""Readers: one annotation format per file, from bytes to rows."""
