"""What is measured, each in a process of its own: ``python -m labs.bench.programs.NAME`` prints JSON."""
