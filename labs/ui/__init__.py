"""Look at the page in Airflow's UI with a real browser: ``python -m labs.ui``."""
