"""The accepted certificates: the same as with curl and Go, on every version of Python.

The certificates are made by plain ``openssl``, as companies do: without identifiers and usages.
Each case runs with every Python on this machine.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.settings import Tls, pem
from tests.process import binary
from tests.settings import handshake

VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def pythons() -> list[str]:
    """Return an interpreter of each supported version on the machine."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    homes = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in VERSIONS:
        candidates = [*homes.glob(f"{version}.*/bin/python3"), Path(f"/usr/bin/python{version}")]
        for candidate in filter(Path.exists, candidates):
            found.setdefault(version, str(candidate))
    return [found[version] for version in VERSIONS if version in found]


def openssl(home: Path, *arguments: str) -> None:
    subprocess.run(
        [binary("openssl"), *arguments], cwd=home, check=True, capture_output=True, timeout=60
    )


def authority(home: Path, name: str, usage: str = "") -> None:
    """Make a root certificate; usage: its key usage, which old ones lack."""
    extensions = ["-addext", f"keyUsage={usage}"] if usage else []
    openssl(
        home,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "300"),
        *("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}", *extensions),
    )


def issue(home: Path, name: str, by: str, extensions: Sequence[str], days: int = 300) -> None:
    (home / f"{name}.ext").write_text("\n".join(extensions) + "\n")
    openssl(
        home,
        *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
        *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
    )
    openssl(
        home,
        *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key"),
        *("-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.pem"),
    )


def chain(home: Path, *names: str) -> None:
    text = "".join((home / f"{name}.pem").read_text() for name in names)
    (home / f"{names[0]}+.pem").write_text(text)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("certificates")
    names, unidentified = "subjectAltName=DNS:localhost", "authorityKeyIdentifier=none"
    authority(home, "root", "keyCertSign,cRLSign")
    authority(home, "bare")
    authority(home, "other", "keyCertSign")
    issue(home, "leaf", "root", [names, unidentified])
    issue(home, "elsewhere", "root", ["subjectAltName=DNS:elsewhere.example", unidentified])
    issue(home, "issuing", "bare", ["basicConstraints=CA:TRUE", unidentified])
    issue(home, "below", "issuing", [names, unidentified])
    chain(home, "below", "issuing")
    return home


CASES = [
    ("leaf", "root", "accepted"),
    ("below+", "bare", "accepted"),
    ("below+", "issuing", "accepted"),
    ("below", "issuing", "accepted"),
    ("leaf", "leaf", "accepted"),
    ("leaf", "other", "unable to get local issuer certificate"),
    ("below+", "other", "unable to get local issuer certificate"),
    ("below", "bare", "unable to get local issuer certificate"),
]
"""Certificate, authorities, and the result."""


@pytest.mark.parametrize("python", pythons())
@pytest.mark.parametrize("presented_by", ["server", "client"])
@pytest.mark.parametrize(("certificate", "authorities", "outcome"), CASES)
def test_a_certificate_is_judged_alike_by_every_python(
    certificates: Path,
    python: str,
    presented_by: str,
    certificate: str,
    authorities: str,
    outcome: str,
) -> None:
    files = [f"{authorities}.pem", f"{certificate}.pem", f"{certificate.rstrip('+')}.key"]
    command = [python, handshake.__file__, pem.__file__, presented_by]
    done = subprocess.run(
        [*command, *(str(certificates / file) for file in files)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    refused = ("unable to get", "self-signed certificate", "self signed certificate")
    said = done.stdout.strip()
    assert done.stderr == ""
    if outcome == "accepted":
        assert said == "accepted"
    else:
        assert said.startswith(refused)


def judged(tls: Tls, certificates: Path, name: str) -> str:
    server = handshake.contexts(
        handshake.loaded(pem.__file__),
        "server",
        certificates / "root.pem",
        certificates / f"{name}.pem",
        certificates / f"{name}.key",
    )[1]
    return handshake.shaken(tls.context(), server)


def test_the_settings_trust_the_certificates_of_their_file(certificates: Path) -> None:
    tls = Tls(ca_file=certificates / "root.pem")
    assert judged(tls, certificates, "leaf") == "accepted"
    assert "not valid for 'localhost'" in judged(tls, certificates, "elsewhere")
    assert judged(tls, certificates, "below") != "accepted"
    assert judged(Tls(insecure_skip_verify=True), certificates, "below") == "accepted"


def test_without_a_file_the_systems_authorities_count(certificates: Path) -> None:
    assert judged(Tls(), certificates, "leaf").startswith("unable to get")


def denied(*_: object) -> int:
    raise PermissionError(1, "Operation not permitted")


def test_without_files_in_memory_a_temporary_file_does(
    certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "memfd_create", denied)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tls = Tls(cert_file=certificates / "leaf.pem", key_file=certificates / "leaf.key")
    assert tls.context()
    assert list(tmp_path.iterdir()) == []


def test_without_proc_a_temporary_file_does(certificates: Path) -> None:
    files = ("root.pem", "leaf.pem", "leaf.key")
    command = [sys.executable, handshake.__file__, pem.__file__, "server", *files]
    hidden = [
        binary("unshare"),
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs none /proc && exec "$@"',
        "sh",
    ]
    if subprocess.run([*hidden, "true"], check=False).returncode:
        pytest.skip("needs a mount namespace of its own, so root on Linux")
    done = subprocess.run([*hidden, *command], cwd=certificates, capture_output=True, check=True)
    assert done.stdout == b"accepted"


def test_without_any_file_the_certificate_is_not_blamed(
    certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "memfd_create", denied)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(ValueError, match=r"no temporary file can be created.*Set TMPDIR"):
        Tls(cert_file=certificates / "leaf.pem", key_file=certificates / "leaf.key")
