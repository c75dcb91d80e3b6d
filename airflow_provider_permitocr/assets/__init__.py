"""What Airflow asks of assets by the schemes of their URIs."""
