"""Looks at a privacy policy's keys, at declared columns and at the folder of portraits; changes nothing."""

from __future__ import annotations

from airflow_provider_permitocr.cli.checks.database_checks import look_at
from airflow_provider_permitocr.cli.checks.findings import Finding, ok, unchecked
from airflow_provider_permitocr.options.privacy import Privacy
from airflow_provider_permitocr.options.quality import Quality
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.options.targets.portraits import PortraitFolder, Portraits
from airflow_provider_permitocr.permit.replacement import Method

_POLICY, _PORTRAITS, _QUALITY = "privacy", "portraits", "quality"


def check_privacy(policy: Privacy) -> Finding:
    """Check that the connections of a policy contain keys, and report what the policy keeps."""
    from airflow_provider_permitocr.wiring.privacy import protection_of

    if is_template(policy.hmac_conn_id) or is_template(policy.fernet_conn_id):
        return unchecked(_POLICY, "its connections: templated, so known only in a run")

    def look() -> str:
        protection_of(policy)
        kept = [name for name, method in policy.methods.items() if method is Method.KEEP]
        return f"kept as they are: {', '.join(kept) or 'nothing'}"

    return look_at(_POLICY, look)


def check_quality(quality: Quality) -> Finding:
    """Check that declared values can be compared."""

    def look() -> str:
        quality.assessment.prepare()
        compared = ", ".join(f"{fact} with {column}" for fact, column in quality.declared_columns.items())
        return f"compared: {compared or 'nothing'}"

    return look_at(_QUALITY, look)


def check_portraits(portraits: Portraits) -> Finding:
    """Check that portraits can be written, as far as possible without writing."""
    from airflow_provider_permitocr.wiring.privacy import portrait_files

    if not isinstance(portraits, PortraitFolder):
        return ok(_PORTRAITS, "as base64 in the column profile")
    if is_template(portraits.path) or is_template(portraits.conn_id):
        return unchecked(_PORTRAITS, "the folder: templated, so known only in a run")

    def look() -> str:
        files = portrait_files(portraits)
        assert files is not None
        files.check()
        return f"are written to {portraits.path}"

    return look_at(_PORTRAITS, look)
