"""The wheel without extras, as a user installs it, under each Airflow and Python that it promises."""
