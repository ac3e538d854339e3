"""The answers of a healthy Palette to each call."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from exporter.demo import documents, paging
from exporter.demo.access import Credentials, Scope
from exporter.demo.calls import Answer, Call, RefusalError
from exporter.demo.storage import Cluster, Item, Key, Objects, json_bytes
from exporter.demo.world import World


@dataclass(kw_only=True)
class Answers:
    """The endpoints of a world; `token_lifetime`: of continue tokens, in seconds."""

    world: World
    credentials: Credentials
    clock: Callable[[], float]
    token_lifetime: float
    generation: int = 0
    """Continue tokens of an earlier generation are expired at any age."""

    def answer(self, call: Call) -> Answer:
        """Return the answer to the call, which can be a refusal."""
        try:
            return self._answer(call)
        except RefusalError as refusal:
            return refusal.answer

    def _answer(self, call: Call) -> Answer:
        if call.endpoint == "unknown":
            raise RefusalError(404, "ResourceNotFound", f"path {call.raw_path} was not found")
        if call.method != ("POST" if call.endpoint == "authenticate" else "GET"):
            raise RefusalError(405, "MethodNotAllowed", f"method {call.method} is not allowed")
        if call.endpoint == "authenticate":
            return self.credentials.log_in(call)
        self.credentials.check(call)
        scope = Scope.of(call, self.world)
        if call.endpoint == "list_clusters":
            return _clusters(self.world, scope)
        return self._of_cluster(call, self._cluster(call, scope))

    def _cluster(self, call: Call, scope: Scope) -> Cluster:
        cluster = self.world.cluster(call.cluster_uid)
        if cluster is None or not scope.sees(cluster):
            raise RefusalError(
                404, "ResourceNotFound", f"SpectroCluster '{call.cluster_uid}' not found"
            )
        if cluster.outage is not None:
            raise RefusalError(*cluster.outage)
        return cluster

    def _of_cluster(self, call: Call, cluster: Cluster) -> Answer:
        if call.endpoint == "get_snapshot":
            return _snapshot(call, cluster)
        if call.endpoint == "list_vms":
            return self._page(call, cluster.vms, "VirtualMachine")
        return self._page(call, cluster.snapshots, "VirtualMachineSnapshot")

    def _page(self, call: Call, objects: Objects, kind: str) -> Answer:
        """Return one page of a list: the current objects after the end of the last page."""
        size = _size(call)
        query = paging.fingerprint(call.raw_path, sorted(call.namespaces), sorted(call.vm_names))
        last = self._last(call, query)
        items = list(islice(_chosen(call, objects, last), size + 1))
        metadata: documents.Document = {"resourceVersion": str(88_123_456 + objects.revision)}
        if len(items) > size:
            items.pop()
            metadata |= self._more(call, objects, items[-1].key, query)
        return _list(kind, metadata, items)

    def _more(self, call: Call, objects: Objects, last: Key, query: str) -> documents.Document:
        mark = paging.Bookmark(
            last=last,
            page=call.page + 1,
            query=query,
            issued_at=self.clock(),
            generation=self.generation,
        )
        if call.namespaces or call.vm_names:
            return {"continue": mark.token}  # Kubernetes cannot count what a selector leaves
        return {"continue": mark.token, "remainingItemCount": objects.count_after(last)}

    def _last(self, call: Call, query: str) -> Key | None:
        """Return the end of the previous page; refuses foreign tokens (400) and old ones (410)."""
        if call.continue_token is None:
            return None
        try:
            mark = paging.bookmark(call.continue_token)
        except paging.BadTokenError:
            raise RefusalError(400, "InvalidRequest", "continue key is not valid") from None
        if mark.query != query:
            raise RefusalError(400, "InvalidRequest", "continue key is of another query")
        aged = self.clock() - mark.issued_at >= self.token_lifetime
        if aged or mark.generation != self.generation:
            raise RefusalError(410, "ResourceExpired", "The provided continue parameter is too old")
        return mark.last


def _clusters(world: World, scope: Scope) -> Answer:
    clusters = [cluster.document for cluster in world.clusters() if scope.sees(cluster)]
    return Answer(body=json_bytes({"items": clusters}))


def _snapshot(call: Call, cluster: Cluster) -> Answer:
    namespace = call.query.get("namespace")
    if not namespace:
        raise RefusalError(400, "InvalidRequest", "namespace in query is required")
    if (namespace, call.vm) not in cluster.vms:
        # Palette reads the VM first, and answers 500 if it does not exist.
        message = f'virtualmachines.kubevirt.io "{call.vm}" not found'
        raise RefusalError(500, "InternalServerError", message)
    item = cluster.snapshots.get((namespace, call.snapshot))
    if item is None or item.source != call.vm:
        message = f"VirtualMachineSnapshot '{call.snapshot}' not found"
        raise RefusalError(404, "ResourceNotFound", message)
    return Answer(body=item.body)


def _size(call: Call) -> int:
    try:
        return paging.page_size(call.query.get("limit"))
    except ValueError:
        raise RefusalError(400, "InvalidRequest", "limit in query must be an integer") from None


def _chosen(call: Call, objects: Objects, last: Key | None) -> Iterator[Item]:
    namespaces = call.namespaces
    vm_names = call.vm_names if call.endpoint == "list_snapshots" else frozenset()
    for item in objects.after(last):
        if namespaces and item.key[0] not in namespaces:
            continue
        if not vm_names or item.source in vm_names:
            yield item


def _list(kind: str, metadata: documents.Document, items: list[Item]) -> Answer:
    """Return a page, joined from the stored JSON of its items."""
    head = json_bytes(documents.list_head(kind) | {"metadata": metadata})
    bodies = b",".join(item.body for item in items)
    return Answer(body=head[:-1] + b',"items":[' + bodies + b"]}")
