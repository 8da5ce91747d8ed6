"""The command line: the one place that sees every layer. A command a file; what is slow to import is imported in it."""
