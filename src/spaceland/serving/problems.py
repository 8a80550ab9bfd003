"""Why a request is not answered: an HTTP status and a reason, written as OpenAI's servers write it."""

from __future__ import annotations

import math
from typing import Any

_KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class RequestError(Exception):
    """A request that gets no answer. It never leaves the server other than as a response."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Say why.

        Args:
            status: HTTP status.
            message: What was found, what was expected, what to do.
            code: One word for programs.
            param: The field of the request that is wrong, such as "messages[0].content".
            retry_after_s: How long to wait before the next try.
        """
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """The JSON object of the response."""
        kind = _KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """What the response says beside its body."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}
        return headers | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def wrong(param: str, message: str, code: str | None = None) -> RequestError:
    """A field that is not as it should be (400)."""
    return RequestError(400, f"{param}: {message}", param=param, code=code)
