"""Users who log in, and their tokens."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from exporter.demo.access import Credentials
from exporter.demo.calls import Answer, Call, RefusalError
from exporter.demo.storage import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable


class Accounts(Credentials):
    """API keys, users and their tokens; `lifetime`: of a token, in seconds."""

    def __init__(
        self,
        keys: set[str],
        users: dict[str, str],
        *,
        lifetime: float,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(keys)
        self.users = users
        self.lifetime = lifetime
        self._clock = clock
        self._expiry: dict[str, float] = {}
        self._issued = 0

    def log_in(self, call: Call) -> Answer:
        """Check `{emailId, password, org}` and answer with a new token; refuses with 401."""
        email, password = _login(call.body)
        if email not in self.users or self.users[email] != password:
            message = f"{email}: no user has password '{password}'"
            raise RefusalError(401, "InvalidCredentials", message)
        self._issued += 1
        token = _jwt(email, self._issued)
        self._expiry[token] = self._clock() + self.lifetime
        keep = call.query.get("setCookie", "true") != "false"
        cookie = {"Set-Cookie": f"Authorization={token}; Path=/; HttpOnly"} if keep else {}
        body = json_bytes({"Authorization": token, "isMfa": False})
        return Answer(body=body, headers=cookie)

    def check(self, call: Call) -> None:
        """Refuse a call without a valid credential with 401, whose message repeats it."""
        token = call.headers.get("Authorization")
        if token is None or "ApiKey" in call.headers:
            super().check(call)
        elif self._clock() >= self._expiry.get(token, float("-inf")):
            raise RefusalError(401, "InvalidToken", f"The token '{token}' is invalid or expired")

    def expire_tokens(self) -> None:
        """Expire all tokens issued so far."""
        self._expiry.clear()


def _login(body: bytes) -> tuple[str, str]:
    try:
        fields = json.loads(body)
        return str(fields["emailId"]), str(fields["password"])
    except (ValueError, TypeError, KeyError) as error:
        raise RefusalError(400, "InvalidRequest", "emailId and password are required") from error


def _jwt(email: str, serial: int) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"email": email, "jti": serial}, f"signature {serial}")
    return ".".join(
        base64.urlsafe_b64encode(json_bytes(part)).decode().rstrip("=") for part in parts
    )
