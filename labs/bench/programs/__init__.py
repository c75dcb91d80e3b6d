"""Measured programs, each in a separate process: ``python -m labs.bench.programs.NAME`` prints JSON."""
