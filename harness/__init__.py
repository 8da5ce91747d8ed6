"""The harness: datasets, crops, sweeps, metrics, checks and the command line."""
