"""The checks behind ``harness.datasets.verify``, one kind a file."""
