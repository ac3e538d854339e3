"""Authentication, and the project that a call is limited to."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.demo.calls import Call, RefusalError
from exporter.demo.storage import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.demo.storage import Cluster
    from exporter.demo.world import World


class Credentials:
    """API keys, users and their tokens; `lifetime`: of a token, in seconds."""

    def __init__(
        self,
        keys: set[str],
        users: dict[str, str],
        *,
        lifetime: float,
        clock: Callable[[], float],
    ) -> None:
        self.keys = keys
        self.users = users
        self.lifetime = lifetime
        self._clock = clock
        self._expiry: dict[str, float] = {}
        self._issued = 0

    def log_in(self, body: bytes) -> str:
        """Check `{emailId, password, org}` and return a new token; refuses with 401."""
        email, password = _login(body)
        if email not in self.users or self.users[email] != password:
            message = f"{email}: no user has password '{password}'"
            raise RefusalError(401, "InvalidCredentials", message)
        self._issued += 1
        token = _jwt(email, self._issued)
        self._expiry[token] = self._clock() + self.lifetime
        return token

    def check(self, call: Call) -> None:
        """Refuse a call without a valid credential with 401, whose message repeats it."""
        key, token = call.headers.get("ApiKey"), call.headers.get("Authorization")
        if key is not None:
            if key not in self.keys:
                raise RefusalError(401, "InvalidApiKey", f"The API key '{key}' is not valid")
        elif token is None:
            raise RefusalError(401, "Unauthorized", "No ApiKey and no Authorization header")
        elif self._clock() >= self._expiry.get(token, float("-inf")):
            raise RefusalError(401, "InvalidToken", f"The token '{token}' is invalid or expired")

    def expire_tokens(self) -> None:
        """Expire all tokens issued so far."""
        self._expiry.clear()


@dataclass(frozen=True, slots=True)
class Scope:
    """The project that a call is limited to; "" is the tenant, which sees all of them."""

    project_uid: str

    @classmethod
    def of(cls, call: Call, world: World) -> Scope:
        """Return the scope of a call; refuses with 403 a project that is forbidden or missing."""
        uid = call.headers.get("ProjectUid", "")
        if uid and (uid not in world.projects or uid in world.forbidden_projects):
            raise RefusalError(403, "OperationForbidden", f"No access to project '{uid}'")
        return cls(uid)

    def sees(self, cluster: Cluster) -> bool:
        """Return whether the cluster is in the scope."""
        return self.project_uid in {"", cluster.project_uid}


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
