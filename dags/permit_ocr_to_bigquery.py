"""Every night: recognize the images of the day before into a Parquet file, and load that into BigQuery.

Any warehouse that this package makes no result tables in is filled like this: write a file to the object
store, and let the warehouse's own transfer operator load it. For Redshift, write to ``s3://`` and use
``S3ToRedshiftOperator`` with ``copy_options=["FORMAT AS PARQUET"]``.
"""

from __future__ import annotations

import logging

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_permitocr import (
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    ResultFile,
)

try:
    from airflow.providers.google.cloud.transfers.gcs_to_bigquery import GCSToBigQueryOperator
except ImportError:
    # As Airflow's own examples do: the DAG is there once its provider is.
    logging.getLogger(__name__).warning(
        "permit_ocr_to_bigquery needs Airflow's Google provider: pip install apache-airflow-providers-google"
    )
    GCSToBigQueryOperator = None

BUCKET = "permits-lake"
# The day that list, file and partition are of: that of the run's data interval. A run that is triggered
# without a logical date, or by an asset, has none, and takes the day before.
DAY = "(data_interval_start | default('') or dag_run.run_after - macros.timedelta(days=1))"
FILE = f"permits/{{{{ {DAY} | ds }}}}.parquet"

if GCSToBigQueryOperator is not None:
    with DAG(
        dag_id="permit_ocr_to_bigquery",
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": 2},
        tags=["permit-ocr"],
        owner_links={"airflow": "mailto:data-team@example.com"},
        doc_md=__doc__,
    ):
        recognize_permits = MainlandPermitOcrOperator(
            task_id="recognize_permits",
            source=ImageTable(
                "permit_images",
                conn_id="warehouse",
                key="image_id",
                image="image",
                card_side="card_side",
                updated_at="uploaded_at",
                since=f"{{{{ {DAY} | ds }}}}",
                until=f"{{{{ ({DAY} + macros.timedelta(days=1)) | ds }}}}",
            ),
            target=ResultFile(f"gs://{BUCKET}/{FILE}", conn_id="google_cloud_default"),
            # A file cannot hold what runs remember.
            list="permits",
            ledger=Ledger("permit_ocr", conn_id="warehouse"),
            pool="tencent_permit_ocr",
            pool_slots=20,
        )
        load_permits = GCSToBigQueryOperator(
            task_id="load_permits",
            bucket=BUCKET,
            source_objects=[FILE],
            source_format="PARQUET",
            # Each day replaces its own partition, however often it is cleared.
            destination_project_dataset_table=f"mart.permits${{{{ {DAY} | ds_nodash }}}}",
            time_partitioning={"type": "DAY"},
            write_disposition="WRITE_TRUNCATE",
            gcp_conn_id="google_cloud_default",
        )
        recognize_permits >> load_permits
