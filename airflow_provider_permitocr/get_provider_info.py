"""What this provider reports to Airflow; found through the entry point ``apache_airflow_provider``."""

from __future__ import annotations

from typing import Any

from airflow_provider_permitocr import __version__

_PACKAGE = "airflow_provider_permitocr"
_TEXT = ["string", "null"]


def get_provider_info() -> dict[str, Any]:
    """Describe this provider in the form of Airflow's ``provider_info.schema.json``."""
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
                        "host": "empty: the site's endpoint; http://127.0.0.1:8520 for an emulator",
                        "schema": "intl or mainland: where the account was opened; empty: intl",
                        # Without one, Airflow sends 0, and answers "Bad Request" (apache/airflow #73298).
                        "port": "443, or 0; the Test button needs a number",
                    },
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
        "config": {"permitocr": _CONFIGURATION},
        "extra-links": [f"{_PACKAGE}.plugins.page_link.PageLink"],
        "filesystems": [f"{_PACKAGE}.filesystems.cos"],
        "asset-uris": [
            {
                "schemes": ["cos"],
                "handler": f"{_PACKAGE}.assets.cos.sanitize_uri",
                "factory": f"{_PACKAGE}.assets.cos.create_asset",
                "to_openlineage_converter": f"{_PACKAGE}.assets.cos.convert_asset_to_openlineage",
            }
        ],
        "cli": [f"{_PACKAGE}.cli.definition.get_permitocr_cli_commands"],
    }


_CONFIGURATION: dict[str, Any] = {
    "description": "MainlandPermitOCR of Tencent Cloud.",
    "options": {
        "allowed_endpoints": {
            "description": (
                "The only hosts outside Tencent Cloud that connections may allow for images and signatures,"
                " separated by commas. none: no such host. Empty: each connection decides."
            ),
            "version_added": "0.5.0",
            "type": "string",
            "example": "https://ocr-gateway.example.com, http://10.0.0.5:8520",
            "default": None,
        },
        "emulator_only": {
            "description": (
                "Refuse connections to anything but an emulator on this machine, before the first call."
                " For tests and for environments that must never pay."
            ),
            "version_added": "0.5.0",
            "type": "boolean",
            "example": None,
            "default": "False",
        },
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
        "description": (
            "Only for temporary STS keys. SecretId, SecretKey and token may be replaced while tasks run"
        ),
        "schema": {"type": _TEXT, "format": "password"},
    },
    "cvm_role_name": {
        "label": "CVM role",
        "description": "For cvm_role: name of the instance's role. Empty: ask the instance",
        "schema": {"type": _TEXT},
    },
    "role_arn": {
        "label": "Role to assume",
        "description": "qcs::cam::uin/ACCOUNT:roleName/NAME. Its temporary keys are renewed automatically",
        "schema": {"type": _TEXT},
    },
    "role_session_name": {
        "label": "Role session name",
        "description": "Name of this session in the account's audit log. Empty: airflow",
        "schema": {"type": _TEXT},
    },
    "role_seconds": {
        "label": "Role session seconds",
        "description": "How long temporary keys are valid, at most 43200. Empty: 7200",
        "schema": {"type": ["integer", "null"]},
    },
    "account": {
        "label": "Account ID",
        "description": "ID of the account that pays. Empty: STS is asked, free of charge",
        "schema": {"type": _TEXT},
    },
    "requests_per_slot": {
        "label": "Requests per pool slot",
        "description": "Requests per second that one pool slot allows",
        "schema": {"type": ["number", "null"], "default": 1},
    },
    "price_per_call": {
        "label": "Price per call",
        "description": "Price of one billed call, used to report cost. The operator's price overrides it",
        "schema": {"type": ["number", "null"], "minimum": 0},
    },
    "currency": {
        "label": "Currency",
        "description": "Currency of the price, for example USD or CNY",
        "schema": {"type": _TEXT},
    },
    "region": {
        "label": "Region",
        "description": "Region of the buckets, for cos:// images. The API itself needs none",
        "schema": {"type": _TEXT},
    },
    "cos_endpoint": {
        "label": "COS endpoint",
        "description": "Host or http(s) URL that replaces cos.<region>.myqcloud.com",
        "schema": {"type": _TEXT},
    },
    "connect_timeout": {
        "label": "Connect timeout",
        "description": "Most seconds to open a connection",
        "schema": {"type": ["number", "null"], "default": 5},
    },
    "read_timeout": {
        "label": "Read timeout",
        "description": "Most seconds between two bytes of a request or an answer",
        "schema": {"type": ["number", "null"], "default": 60},
    },
    "call_timeout": {
        "label": "Call timeout",
        "description": "Most seconds for a whole call, even while bytes arrive",
        "schema": {"type": ["number", "null"], "default": 120},
    },
    "proxy": {
        "label": "Proxy URL",
        "description": "http:// or socks5h://user:password@host:port. Replaces the environment's proxy",
        "schema": {"type": _TEXT, "format": "password"},
    },
    "ca_bundle": {
        "label": "CA bundle",
        "description": "File or directory of CAs to trust. Replaces the environment's or certifi's",
        "schema": {"type": _TEXT},
    },
    "allow_endpoint": {
        "label": "Allowed endpoints",
        "description": (
            "Hosts outside Tencent Cloud that may receive images, for example https://gateway.example.com."
            " Each run warns about them"
        ),
        "schema": {"type": _TEXT},
    },
}
