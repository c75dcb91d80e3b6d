"""What Airflow asks a provider about itself; found through the entry point ``apache_airflow_provider``."""

from __future__ import annotations

from typing import Any

from airflow_provider_permitocr import __version__

_PACKAGE = "airflow_provider_permitocr"
_TEXT = ["string", "null"]


def get_provider_info() -> dict[str, Any]:
    """Describe this provider as ``provider_info.schema.json`` of Airflow wants it."""
    return {
        "package-name": "airflow-provider-permitocr",
        "name": "Tencent Cloud MainlandPermitOCR",
        "description": "Recognizes mainland travel permits and loads them into a warehouse table.",
        "versions": [__version__],
        "connection-types": [
            {
                "connection-type": "tencentcloud",
                "hook-name": "Tencent Cloud",
                "hook-class-name": f"{_PACKAGE}.hooks.mainland_permit_ocr.MainlandPermitOcrHook",
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": {
                        "login": "SecretId",
                        "password": "SecretKey",
                        "host": "Endpoint",
                        "schema": "Site",
                    },
                    "placeholders": {
                        "host": "empty for the site's own; or http://127.0.0.1:8520 for an emulator",
                        "schema": "intl or mainland: where the account was opened; empty for intl",
                        # Without one, Airflow sends 0, and answers "Bad Request" (apache/airflow #73298).
                        "port": "443, or 0; the test button needs a number",
                    },
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
        "config": {"permitocr": _CONFIGURATION},
        "filesystems": [f"{_PACKAGE}.filesystems.cos"],
        "cli": [f"{_PACKAGE}.cli.definition.get_permitocr_cli_commands"],
    }


_CONFIGURATION: dict[str, Any] = {
    "description": "MainlandPermitOCR of Tencent Cloud.",
    "options": {
        "allowed_endpoints": {
            "description": (
                "The only hosts besides Tencent Cloud's own that a connection may allow for images and"
                " signatures, with commas in between; none: no other at all. Empty: each connection decides."
            ),
            "version_added": "0.5.0",
            "type": "string",
            "example": "https://ocr-gateway.example.com, http://10.0.0.5:8520",
            "default": None,
        }
    },
}

_CONNECTION_FIELDS: dict[str, Any] = {
    "credentials": {
        "label": "Credentials",
        "description": (
            "Where the keys come from: keys (SecretId and SecretKey), environment (the SDK's variables or"
            " profile), cvm_role (the CVM instance's role) or tke_oidc (the role of the pod in TKE)"
        ),
        "schema": {
            "type": _TEXT,
            "enum": ["keys", "environment", "cvm_role", "tke_oidc"],
            "default": "keys",
        },
    },
    "token": {
        "label": "Token",
        "description": "Only with temporary keys of STS; all three may be replaced while tasks run",
        "schema": {"type": _TEXT, "format": "password"},
    },
    "cvm_role_name": {
        "label": "CVM role",
        "description": "Name of the instance's role, with cvm_role; empty to ask the instance",
        "schema": {"type": _TEXT},
    },
    "role_arn": {
        "label": "Role to assume",
        "description": "qcs::cam::uin/ACCOUNT:roleName/NAME; its temporary keys renew themselves",
        "schema": {"type": _TEXT},
    },
    "role_session_name": {
        "label": "Role session name",
        "description": "What the account's audit log calls this user of the role; empty for airflow",
        "schema": {"type": _TEXT},
    },
    "role_seconds": {
        "label": "Role session seconds",
        "description": "How long each pair of keys is asked for, at most 43200; empty for 7200",
        "schema": {"type": ["integer", "null"]},
    },
    "account": {
        "label": "Account ID",
        "description": "Of the account that pays; empty to have STS asked for it, free of charge",
        "schema": {"type": _TEXT},
    },
    "requests_per_slot": {
        "label": "Requests per pool slot",
        "description": "Requests per second that one pool slot stands for",
        "schema": {"type": ["number", "null"], "default": 1},
    },
    "price_per_call": {
        "label": "Price per call",
        "description": "Of a billed call, to tell what a run costs; an operator's own goes before",
        "schema": {"type": ["number", "null"], "minimum": 0},
    },
    "currency": {
        "label": "Currency",
        "description": "Of the price, such as USD or CNY",
        "schema": {"type": _TEXT},
    },
    "region": {
        "label": "Region",
        "description": "Of the buckets, for cos:// images; the API itself needs none",
        "schema": {"type": _TEXT},
    },
    "cos_endpoint": {
        "label": "COS endpoint",
        "description": "In place of the region's own, cos.<region>.myqcloud.com; a host, or its http(s) URL",
        "schema": {"type": _TEXT},
    },
    "connect_timeout": {
        "label": "Connect timeout",
        "description": "Seconds until a connection has to be there",
        "schema": {"type": ["number", "null"], "default": 5},
    },
    "read_timeout": {
        "label": "Read timeout",
        "description": "Seconds between two bytes, of a request or of an answer",
        "schema": {"type": ["number", "null"], "default": 60},
    },
    "call_timeout": {
        "label": "Call timeout",
        "description": "Seconds for a whole call, however steadily its bytes come",
        "schema": {"type": ["number", "null"], "default": 120},
    },
    "proxy": {
        "label": "Proxy URL",
        "description": "In place of the environment's; http:// or socks5h://user:password@host:port",
        "schema": {"type": _TEXT, "format": "password"},
    },
    "ca_bundle": {
        "label": "CA bundle",
        "description": "File or directory of CAs to trust, in place of the environment's or certifi's",
        "schema": {"type": _TEXT},
    },
    "allow_endpoint": {
        "label": "Allowed endpoints",
        "description": (
            "Hosts that are not Tencent Cloud's and may get images, such as https://gateway.example.com; each"
            " run warns of them"
        ),
        "schema": {"type": _TEXT},
    },
}
