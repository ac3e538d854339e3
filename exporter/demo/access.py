"""Authentication, and the project that a call is limited to."""

from dataclasses import dataclass
from typing import Self

from exporter.demo.calls import Answer, Call, RefusalError
from exporter.demo.storage import Cluster
from exporter.demo.world import World


class Credentials:
    """The accepted API keys."""

    def __init__(self, keys: set[str]) -> None:
        self.keys = keys

    def log_in(self, call: Call) -> Answer:
        """Refuse every user with 401: the demo has none."""
        raise RefusalError(401, "InvalidCredentials", "no user has this password")

    def check(self, call: Call) -> None:
        """Refuse a call without a valid key with 401, whose message repeats it."""
        key = call.headers.get("ApiKey")
        if key is None:
            raise RefusalError(401, "Unauthorized", "No ApiKey header")
        if key not in self.keys:
            raise RefusalError(401, "InvalidApiKey", f"The API key '{key}' is not valid")


@dataclass(frozen=True, slots=True)
class Scope:
    """The project that a call is limited to; "" is the tenant, which sees all of them."""

    project_uid: str

    @classmethod
    def of(cls, call: Call, world: World) -> Self:
        """Return the scope of a call; refuses with 403 a project that is forbidden or missing."""
        uid = call.headers.get("ProjectUid", "")
        if uid and (uid not in world.projects or uid in world.forbidden_projects):
            raise RefusalError(403, "OperationForbidden", f"No access to project '{uid}'")
        return cls(uid)

    def sees(self, cluster: Cluster) -> bool:
        """Return whether the cluster is in the scope."""
        return self.project_uid in {"", cluster.project_uid}
