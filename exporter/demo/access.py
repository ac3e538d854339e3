"""Authentication, and the scope of a project."""

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
    """Keys, users and the tokens they were given; `lifetime` of a token is in seconds."""

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
        """Check `{emailId, password, org}` and give out a new token; refuses with 401."""
        email, password = _login(body)
        if email not in self.users or self.users[email] != password:
            message = f"{email}: no user has password '{password}'"
            raise RefusalError(401, "InvalidCredentials", message)
        self._issued += 1
        token = _jwt(email, self._issued)
        self._expiry[token] = self._clock() + self.lifetime
        return token

    def check(self, call: Call) -> None:
        """Let the call pass, or refuse it with 401 and, as real ones do, too much detail."""
        key, token = call.headers.get("ApiKey"), call.headers.get("Authorization")
        if key is not None:
            if key not in self.keys:
                raise RefusalError(401, "InvalidApiKey", f"The API key '{key}' is not valid")
        elif token is None:
            raise RefusalError(401, "Unauthorized", "No ApiKey and no Authorization header")
        elif self._clock() >= self._expiry.get(token, float("-inf")):
            raise RefusalError(401, "InvalidToken", f"The token '{token}' is invalid or expired")

    def expire_tokens(self) -> None:
        """Let every token given out so far be refused from now on."""
        self._expiry.clear()


@dataclass(frozen=True, slots=True)
class Scope:
    """The project that a call is limited to; "" is the tenant, which sees all of them."""

    project_uid: str

    @classmethod
    def of(cls, call: Call, world: World) -> Scope:
        """The requested scope; refuses with 403 one that is forbidden or does not exist."""
        uid = call.headers.get("ProjectUid", "")
        if uid and (uid not in world.projects or uid in world.forbidden_projects):
            raise RefusalError(403, "OperationForbidden", f"No access to project '{uid}'")
        return cls(uid)

    def sees(self, cluster: Cluster) -> bool:
        """Whether the cluster belongs to it."""
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
