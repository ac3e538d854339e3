"""TLS contexts, and certificates and private keys in PEM form; standard library only."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal


class PemError(ValueError):
    """What should be a certificate or its private key is not; part: which of the two."""

    def __init__(self, part: Literal["cert", "key"], message: str) -> None:
        self.part = part
        super().__init__(message)


class _EncryptedKeyError(Exception):
    pass


def _no_pass_phrase() -> str:
    # Without this, OpenSSL would ask for it on the terminal, and wait.
    raise _EncryptedKeyError


def client_context(authorities: bytes | None) -> ssl.SSLContext:
    """Return a context that verifies servers.

    authorities: their certificates; None for the system's. Raises PemError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_authorities(context, authorities)
    return context


def load_authorities(context: ssl.SSLContext, certificates: bytes | None) -> None:
    """Let a context trust authorities as curl and Go do; None for the system's. Raises PemError.

    The defaults of ``ssl.create_default_context`` differ: Python 3.13 refuses certificates
    without key identifiers, and earlier versions refuse an issuing authority as the anchor.
    """
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if certificates is None:
        context.load_default_certs()
        return
    with _as_file(certificates) as file:
        try:
            context.load_verify_locations(file)
        except (OSError, ValueError):
            raise PemError("cert", "should hold certificates in PEM form") from None


def load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes | None) -> None:
    """Give a context its certificate, with the chain behind it, and the private key.

    key: None if it is in the file of the certificate. Raises PemError.
    """
    holder: Literal["cert", "key"] = "cert" if key is None else "key"
    with _as_file(certificate) as certificate_file, _as_file(key or certificate) as key_file:
        try:
            context.load_cert_chain(certificate_file, key_file, password=_no_pass_phrase)
        except _EncryptedKeyError:
            raise PemError(holder, "the private key should not be encrypted") from None
        except (OSError, ValueError) as error:
            if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
                raise PemError(holder, "the private key is not that of the certificate") from None
            # OpenSSL does not say which of the two it means.
            if not _is_certificate(certificate_file):
                raise PemError("cert", "should hold a certificate in PEM form") from None
            if key is None:
                raise PemError("cert", "holds no private key, and key_file names none") from None
            raise PemError("key", "should hold a private key in PEM form") from None


def _is_certificate(file: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def _as_file(content: bytes) -> Iterator[Path]:
    """Yield a path for content, which OpenSSL needs; outside the file system if possible."""
    with _memory_file() or _temporary_file() as file:
        file.write(content)
        file.flush()
        name = file.name
        yield Path(f"/proc/self/fd/{name}" if isinstance(name, int) else name)


def _memory_file() -> IO[bytes] | None:
    """Return a file in memory; None where the system has none, or none with a path."""
    try:
        file = os.fdopen(os.memfd_create("pem"), "wb")
    except (AttributeError, OSError):
        return None
    if Path(f"/proc/self/fd/{file.fileno()}").exists():
        return file
    file.close()
    return None


def _temporary_file() -> IO[bytes]:
    try:
        return tempfile.NamedTemporaryFile()  # only its owner can read it
    except OSError as error:
        raise PemError(
            "cert",
            f"cannot be passed to OpenSSL: no temporary file can be created ({error.strerror}). "
            "Set TMPDIR to a writable directory",
        ) from None
