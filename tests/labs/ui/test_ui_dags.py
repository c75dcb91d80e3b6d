from __future__ import annotations

from airflow.dag_processing.dagbag import DagBag

from labs.ui import run


def test_the_dags_that_are_looked_at_import_and_read_their_lists() -> None:
    bag = DagBag(str(run._DAGS))
    assert bag.import_errors == {}
    assert set(bag.dag_ids) == set(run._DAG_IDS)
    listed = {
        bag.dags[dag_id].tasks[0].partial_kwargs["source"].table
        if bag.dags[dag_id].tasks[0].is_mapped
        else bag.dags[dag_id].tasks[0].source.table
        for dag_id in bag.dag_ids
    }
    assert listed == set(run._LISTS)
