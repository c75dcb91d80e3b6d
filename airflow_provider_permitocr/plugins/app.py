"""The app that serves the page: static files, what error codes mean, and the way in. It has no data of runs.

The page asks Airflow's own API for these, with the cookie of its user, whose rights then apply.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from airflow_provider_permitocr.plugins.codes import codes
from airflow_provider_permitocr.plugins.page_link import PREFIX, ROUTE, base_path

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

_STATIC: Final = Path(__file__).with_name("static")
#: A browser asks each time whether a file has changed: otherwise it may mix those of two versions.
_FRESH: Final = {"Cache-Control": "no-cache"}
#: The page needs nothing from elsewhere, and says so to the browser. Airflow may frame it, others may not.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


class _StaticFiles(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file as one that is asked for again each time."""
        response = await super().get_response(path, scope)
        response.headers.update(_FRESH)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


# Where a system's own table lacks it, a browser refuses to run a module.
mimetypes.add_type("text/javascript", ".js")

app = FastAPI(title="Permit OCR", docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/ui", _StaticFiles(directory=_STATIC, html=True), name="ui")
_CODES: Final = codes()


@app.get("/codes")
def error_codes() -> JSONResponse:
    """Return what each error code means, which is no secret."""
    return JSONResponse(_CODES, headers=_FRESH)


@app.get("/open")
def open_page(
    request: Request, dag_id: str, run_id: str, task_id: str, map_index: int = -1
) -> RedirectResponse:
    """Lead to the page of a run: in Airflow's frame, or alone for those who may not see plugins."""
    user = getattr(request.state, "user", None)  # set from the cookie by Airflow's middleware
    if user is None:
        asked = f"{base_path()}{PREFIX}/open?{request.url.query}"
        return _to(f"{base_path()}/api/v2/auth/login?" + urlencode({"next": asked}))
    query = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    page = f"{base_path()}{PREFIX}/ui/run.html?{urlencode(query)}"
    return _to(f"{base_path()}/plugin/{ROUTE}{page}" if _sees_plugins(user) else page)


def _sees_plugins(user: Any) -> bool:
    return bool(get_auth_manager().is_authorized_view(access_view=AccessView.PLUGINS, user=user))


def _to(place: str) -> RedirectResponse:
    return RedirectResponse(place, 307, headers={"Cache-Control": "no-store"})
