"""YAML in documents: the program of each block checks it."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import trustme
import yaml

from exporter.demo.api import API_KEY
from exporter.settings import Settings, load
from tests.manifests import check_manifest
from tests.process import ROOT, binary
from tests.yaml_text import documents, loaded

Tree = dict[str, Any]


def exporter_settings(tree: Tree, directory: Path) -> Path:
    """Write a configuration of the exporter to a file and load it.

    Files that a document names are replaced: the API key or the password by a file with the demo's
    key, and certificates by generated ones. A block with a single section is completed: the key
    comes from the environment, and without targets discovery is on.
    """
    complete: Tree = loaded(yaml.safe_dump(tree))
    palette = complete.setdefault("palette", {}) or {}
    for key in ("api_key_file", "password_file"):
        if key in palette:
            palette[key] = str(_written(directory / key, API_KEY))
    _with_certificates(palette.get("tls") or {}, directory)
    _with_web_file(complete.get("web") or {}, directory)
    if not complete.get("targets"):
        complete["discovery"] = {**complete.get("discovery", {}), "enabled": True}
    path = _written(directory / "config.yaml", yaml.safe_dump(complete))
    lets_in = {"api_key_file", "api_key", "username"} & palette.keys()
    load(config_file=path, environ={} if lets_in else {"SPECTROCLOUD_APIKEY": API_KEY})
    return path


def _with_certificates(tls: Tree, directory: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("exporter")
    pem = {
        "ca_file": authority.cert_pem.bytes(),
        "cert_file": b"".join(part.bytes() for part in certificate.cert_chain_pems),
        "key_file": certificate.private_key_pem.bytes(),
    }
    for key in pem.keys() & tls.keys():
        tls[key] = str(_written(directory / key, pem[key].decode()))


def _with_web_file(web: Tree, directory: Path) -> None:
    if web.get("config_file"):
        web["config_file"] = str(_written(directory / "web.yml", "basic_auth_users: {}\n"))


def web_file(tree: Tree, directory: Path) -> None:
    """Check a file for TLS and basic auth with the exporter; certificates are replaced as above."""
    tls = tree.get("tls_server_config") or {}
    names = {"client_ca_file": "ca_file", "cert_file": "cert_file", "key_file": "key_file"}
    made: Tree = {names[key]: None for key in names.keys() & tls.keys()}
    _with_certificates(made, directory)
    tls.update({key: made[names[key]] for key in names.keys() & tls.keys()})
    path = _written(directory / "web.yml", yaml.safe_dump(tree))
    _run(
        [sys.executable, "-m", "exporter", "--demo", "--config.check", f"--web.config.file={path}"]
    )


def prometheus(tree: Tree, directory: Path) -> None:
    path = _written(directory / "prometheus.yml", yaml.safe_dump(tree))
    _run([binary("promtool"), "check", "config", "--syntax-only", path])


def rules(tree: Tree, directory: Path) -> None:
    path = _written(directory / "rules.yaml", yaml.safe_dump(tree))
    _run([binary("promtool"), "check", "rules", path])


def alertmanager(tree: Tree, directory: Path) -> None:
    path = _written(directory / "alertmanager.yml", yaml.safe_dump(tree))
    _run([binary("amtool"), "check-config", path])


def kubernetes(tree: Tree, directory: Path) -> None:
    """Validate an object, or build an overlay."""
    if tree["kind"] == "Kustomization":
        kustomization(tree, directory)
    else:
        check_manifest(tree, "1.31")


def kustomization(tree: Tree, directory: Path) -> None:
    """Build an overlay next to the shipped one; on the base by default."""
    copy = directory / "kubernetes"
    shutil.copytree(ROOT / "deploy" / "kubernetes", copy)
    overlay = copy / "overlays" / "yours"
    overlay.mkdir()
    complete = {"resources": ["../../base"], **tree}
    _written(overlay / "kustomization.yaml", yaml.safe_dump(complete))
    (overlay / "config.yaml").touch()
    _run([Path(sys.executable).with_name("kubectl"), "kustomize", overlay])


KINDS: Sequence[tuple[frozenset[str], Callable[[Tree, Path], object]]] = (
    (frozenset({"apiVersion", "kind"}), kubernetes),
    (frozenset({"patches"}), kustomization),
    (frozenset({"groups"}), rules),
    (frozenset({"route", "receivers"}), alertmanager),
    (frozenset({"scrape_configs"}), prometheus),
    (frozenset({"rule_files"}), prometheus),
    (frozenset({"tls_server_config"}), web_file),
    (frozenset({"basic_auth_users"}), web_file),
)
"""The keys that identify a document, and its check; the exporter checks those with its sections."""


def assert_accepted(text: str) -> None:
    """Check each document of a block with its program; fails if there is none."""
    for tree in documents(text):
        assert isinstance(tree, dict), "no mapping"
        with tempfile.TemporaryDirectory() as directory:
            _checker(tree)(tree, Path(directory))


def is_for_the_exporter(tree: Mapping[str, Any]) -> bool:
    return tree.keys() <= Settings.model_fields.keys()


def _checker(tree: Tree) -> Callable[[Tree, Path], object]:
    if is_for_the_exporter(tree):
        return exporter_settings
    found = [checker for keys, checker in KINDS if keys <= tree.keys()]
    assert found, f"nobody takes a block with {', '.join(tree)}: see tests/docs/configurations.py"
    return found[0]


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _run(words: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
