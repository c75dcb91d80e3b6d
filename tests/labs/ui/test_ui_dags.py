from __future__ import annotations

from airflow.dag_processing.dagbag import DagBag

from labs.ui import run


def test_the_dags_whose_pages_are_looked_at_are_there() -> None:
    bag = DagBag(str(run._DAGS))
    assert bag.import_errors == {}
    assert set(bag.dag_ids) == set(run._DAG_IDS)
