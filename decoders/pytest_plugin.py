"""The contract as a pytest plugin."""
