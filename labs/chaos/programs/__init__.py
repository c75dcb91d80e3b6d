"""Programs that run in separate processes, so that they can be killed."""
