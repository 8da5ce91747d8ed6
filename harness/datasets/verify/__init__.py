"""The checks behind ``nmebench.datasets.verify.verify_wflw``, one kind a file."""
