"""Prove the promises on Celery: several workers, DAGs and shards in one pool, and a worker that dies."""
