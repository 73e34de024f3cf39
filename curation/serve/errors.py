"""Errors of requests, in the form of OpenAI's API."""

from typing import Any


class ApiError(Exception):
    """A request that is not answered; `message` says what to change."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        """What OpenAI's clients read."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


class BusyError(ApiError):
    """All places are taken, and the queue is full."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(429, f"all places are taken: try again in {retry_after} s", code="rate_limit_exceeded")
        self.headers = {"Retry-After": str(retry_after)}


class GoneError(Exception):
    """The client left before it was answered."""
