"""DAGs whose runs the page is looked at with."""
