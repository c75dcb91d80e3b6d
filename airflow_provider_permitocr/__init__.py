"""Airflow provider for Tencent Cloud's MainlandPermitOCR."""

__version__ = "0.4.0"
