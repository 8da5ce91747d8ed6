"""Writes model cards for files and searches the settings that a file doesn't tell."""
