"""What is measured, each in a process of its own: ``python -m bench.programs.NAME`` prints JSON."""
