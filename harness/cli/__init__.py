"""The command line, with one module per command.

Each command parses its options, calls a library function, prints the result and writes files. Modules that are slow to
import are imported inside the commands.
"""
