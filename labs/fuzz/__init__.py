"""Hostile files and servers: what they do to a worker. Seeded, so that a run can be repeated."""
