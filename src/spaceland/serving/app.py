"""The server's addresses.

POST /v1/chat/completions      answers, whole or as a stream
GET  /v1/models, /v1/models/N  the model that is served
GET  /health                   200 while requests are answered, 503 when the server is stopping; needs no key
GET  /metrics                  numbers for Prometheus
"""

from __future__ import annotations

import time
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from spaceland.serving.access import Access
from spaceland.serving.endpoint import ChatEndpoint
from spaceland.serving.gate import Gate
from spaceland.serving.problems import RequestError
from spaceland.serving.service import ChatService

_PATHS = frozenset({"/v1/chat/completions", "/v1/models", "/health", "/metrics"})


def make_app(service: ChatService, access: Access, *, log_content: bool = False) -> Any:
    """The ASGI application of a service; any ASGI server can run it, in one process."""
    started = int(time.time())

    def model() -> dict[str, Any]:
        facts = service.engine.facts
        return {
            "id": facts.name,
            "object": "model",
            "created": started,
            "owned_by": "spaceland",
            "max_model_len": facts.context,
        }

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model()]})

    async def one_model(request: Request) -> Response:
        if request.path_params["name"] != service.engine.facts.name:
            raise HTTPException(404, "there is no such model here; GET /v1/models tells which there is")
        return JSONResponse(model())

    async def health(request: Request) -> Response:
        fine = service.healthy
        return JSONResponse({"status": "ok" if fine else "stopping"}, 200 if fine else 503)

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(service.metrics.text(), media_type="text/plain; version=0.0.4")

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        reasons = {404: "there is no such address", 405: "this address does not take that method"}
        own = error.detail if error.status_code == 404 and error.detail != "Not Found" else None
        problem = RequestError(error.status_code, own or reasons.get(error.status_code, error.detail))
        return JSONResponse(problem.body(), error.status_code, headers=dict(error.headers or {}))

    routes = [
        Route("/v1/chat/completions", ChatEndpoint(service, log_content=log_content), methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", one_model),
        Route("/health", health),
        Route("/metrics", metrics),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse})
    app.router.redirect_slashes = False
    return Gate(app, access, service.metrics, _PATHS)
