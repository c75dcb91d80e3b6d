"""Run the provider's main job for real on one machine: ``python -m labs.demo``."""
