"""Looks at a privacy policy's keys, at declared columns and at the folder of portraits; changes nothing."""

from __future__ import annotations

from airflow_provider_permitocr.cli.checks.findings import Finding, Verdict
from airflow_provider_permitocr.errors import PermitOcrError
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
        return Finding(Verdict.UNCHECKED, _POLICY, "its connections: templated, so known only in a run")
    try:
        protection_of(policy)
    except PermitOcrError as error:
        return Finding(Verdict.WRONG, _POLICY, str(error))
    kept = [name for name, method in policy.methods.items() if method is Method.KEEP]
    return Finding(Verdict.OK, _POLICY, f"kept as they are: {', '.join(kept) or 'nothing'}")


def check_quality(quality: Quality) -> Finding:
    """Check that declared values can be compared."""
    try:
        quality.assessment.prepare()
    except PermitOcrError as error:
        return Finding(Verdict.WRONG, _QUALITY, str(error))
    compared = ", ".join(f"{fact} with {column}" for fact, column in quality.declared_columns.items())
    return Finding(Verdict.OK, _QUALITY, f"compared: {compared or 'nothing'}")


def check_portraits(portraits: Portraits) -> Finding:
    """Check that portraits can be written, as far as possible without writing."""
    from airflow_provider_permitocr.wiring.privacy import portrait_files

    if not isinstance(portraits, PortraitFolder):
        return Finding(Verdict.OK, _PORTRAITS, "as base64 in the column profile")
    if is_template(portraits.path) or is_template(portraits.conn_id):
        return Finding(Verdict.UNCHECKED, _PORTRAITS, "the folder: templated, so known only in a run")
    try:
        files = portrait_files(portraits)
        assert files is not None
        files.check()
    except PermitOcrError as error:
        return Finding(Verdict.WRONG, _PORTRAITS, str(error))
    return Finding(Verdict.OK, _PORTRAITS, f"are written to {portraits.path}")
