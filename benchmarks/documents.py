"""Virtual machines as large as real ones: most of their bytes are what the exporter skips."""

from typing import Any

CLOUD_INIT = "#cloud-config\nusers:\n" + "".join(
    f"  - name: operator-{number}\n    ssh_authorized_keys: [ssh-ed25519 {'A' * 68}]\n"
    for number in range(4)
)
DISKS = ("rootdisk", "datadisk", "cloudinitdisk")
FIELDS = ("running", "template", "dataVolumeTemplates", "instancetype", "preference")


def _written(manager: str) -> dict[str, Any]:
    own: dict[str, Any] = {
        f"f:{field}": {".": {}, "f:metadata": {}, "f:spec": {}} for field in FIELDS
    }
    return {
        "apiVersion": "kubevirt.io/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {".": {}}}, "f:spec": own, "f:status": own},
        "manager": manager,
        "operation": "Update",
        "time": "2026-11-20T02:00:21Z",
    }


def _template(name: str) -> dict[str, Any]:
    volume = {"persistentVolumeClaim": {"claimName": f"{name}-claim"}}
    disks = [{"name": each, "disk": {"bus": "virtio"}, "bootOrder": 1} for each in DISKS]
    domain = {
        "cpu": {"cores": 4, "sockets": 1, "threads": 1, "model": "host-model"},
        "devices": {
            "disks": disks,
            "interfaces": [{"name": "default", "masquerade": {}, "model": "virtio"}],
            "rng": {},
        },
        "features": {"acpi": {"enabled": True}, "smm": {"enabled": True}},
        "machine": {"type": "q35"},
        "resources": {"limits": {"memory": "16Gi"}, "requests": {"cpu": "2", "memory": "16Gi"}},
    }
    return {
        "metadata": {"labels": {"kubevirt.io/vm": name, "app": name, "backup": "nightly"}},
        "spec": {
            "domain": domain,
            "evictionStrategy": "LiveMigrate",
            "networks": [{"name": "default", "pod": {}}],
            "terminationGracePeriodSeconds": 180,
            "volumes": [
                *({"name": each, **volume} for each in DISKS[:2]),
                {"name": DISKS[2], "cloudInitNoCloud": {"userData": CLOUD_INIT}},
            ],
        },
    }


def large(vm: dict[str, Any]) -> dict[str, Any]:
    """Return a virtual machine with labels, a template, and managed fields."""
    namespace = vm["metadata"]["namespace"]
    labels = {
        **vm["metadata"].get("labels", {}),
        "app.kubernetes.io/part-of": namespace,
        "example.com/owner": f"owners-of-{namespace}",
        "tier": "gold",
    }
    metadata = {
        **vm["metadata"],
        "labels": labels,
        "managedFields": [_written("kubectl"), _written("virt-api")],
    }
    template = _template(vm["metadata"]["name"])
    return {**vm, "metadata": metadata, "spec": {**vm["spec"], "template": template}}
