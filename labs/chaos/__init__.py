"""Break things on purpose, with real processes, and count afterwards what was paid for: ``make chaos``."""
