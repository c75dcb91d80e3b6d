"""DAGs whose runs are used to check the page."""
