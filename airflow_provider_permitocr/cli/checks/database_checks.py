"""Looks at one thing, in a database or elsewhere; what is raised about it becomes a finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.checks.findings import Finding, ImageList, ok, unchecked, wrong
from airflow_provider_permitocr.cli.faults import hook_fault
from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.image_list import ImageQuery
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.options.targets.result_table import ResultTable

if TYPE_CHECKING:
    from sqlalchemy import Engine


def find(
    subject: str,
    conn_id: str,
    look: Callable[[Engine], str],
    *,
    require: Callable[[str], None] = lambda _: None,
) -> Finding:
    """Look at something in the database of a connection.

    :param look: describes a working connection; raises ``PermitOcrError`` for a faulty one.
    :param require: gets the connection's id before anything is opened; raises an error if it is unusable.
    """

    def look_by_engine() -> str:
        from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines

        require(conn_id)
        with SqlEngines() as engines:
            return look(engines.of(conn_id))

    return find_out(subject, conn_id, look_by_engine)


def look_at(subject: str, look: Callable[[], str]) -> Finding:
    """Look at something.

    :param look: describes what works; raises ``PermitOcrError`` or ``ValueError`` for what does not.
    """
    try:
        return ok(subject, look())
    except (PermitOcrError, ValueError) as error:
        return wrong(subject, str(error))


def find_out(subject: str, conn_id: str, look: Callable[[], str]) -> Finding:
    """Look at something by a connection, however it is opened.

    :param look: as for ``find``.
    """
    try:
        return ok(subject, look())
    except PermitOcrError as error:
        return wrong(subject, str(error))
    except Exception as error:  # noqa: BLE001  see ``hook_fault``
        return wrong(
            subject,
            hook_fault(error, f"the hook of connection {conn_id!r}"),
            remedy="install the provider and driver of this connection's type, or correct the connection",
        )


def templated(described: ImageList | ResultTable | ResultFile | Ledger) -> list[str]:
    """Name the values that are known only in a run."""
    names = [name for name in described.template_fields if is_template(getattr(described, name))]
    if isinstance(described, ImageQuery):
        names += [f"parameter {name}" for name, value in described.parameters.items() if is_template(value)]
    return names


def templated_finding(subject: str, names: list[str]) -> Finding:
    """Report values that are only known at run time."""
    return unchecked(subject, f"{', '.join(names)}: templated; known only at run time")
