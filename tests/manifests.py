"""Kubernetes manifests, checked against the API's schemas."""

from typing import Any


def check_manifest(manifest: dict[str, Any], version: str) -> None:
    """Fail unless this version of Kubernetes knows every field of the manifest."""
    # Not at the top: the import takes two seconds, which every test process would spend.
    import kubernetes_validate  # type: ignore[import-untyped]

    kubernetes_validate.validate(manifest, version, strict=True)
