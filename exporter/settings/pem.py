"""Certificates and private keys in PEM form, as OpenSSL takes them."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

LARGEST = 1024 * 1024
"""Bytes of a file that is read for certificates or a key."""


class PemError(ValueError):
    """What should be a certificate or its private key is not; part: which of the two."""

    def __init__(self, part: Literal["certificate", "key"], message: str) -> None:
        self.part = part
        super().__init__(message)


class _EncryptedKeyError(Exception):
    pass


def _no_pass_phrase() -> str:
    # Without this, OpenSSL would ask for it on the terminal, and wait.
    raise _EncryptedKeyError


def load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes | None) -> None:
    """Give a context its certificate, with the chain behind it, and the private key.

    key: None where it stands beside the certificate. Raises PemError.
    """
    with _as_file(certificate) as certificate_file, _as_file(key or certificate) as key_file:
        try:
            context.load_cert_chain(certificate_file, key_file, password=_no_pass_phrase)
        except _EncryptedKeyError:
            part: Literal["certificate", "key"] = "certificate" if key is None else "key"
            raise PemError(part, "the private key should not be encrypted") from None
        except (OSError, ValueError) as error:
            raise _blame(error, certificate_file, key) from None


def load_authorities(context: ssl.SSLContext, certificates: bytes) -> None:
    """Let a context trust these authorities; raises PemError."""
    with _as_file(certificates) as file:
        try:
            context.load_verify_locations(file)
        except (OSError, ValueError):
            raise PemError("certificate", "should hold certificates in PEM form") from None


def _blame(error: Exception, certificate_file: Path, key: bytes | None) -> PemError:
    """Find out which of the two OpenSSL means; it does not say."""
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return PemError(
            "certificate" if key is None else "key",
            "the private key is not that of the certificate",
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate_file)
    except (OSError, ValueError):
        return PemError("certificate", "should hold a certificate in PEM form")
    if key is None:
        return PemError("certificate", "holds no private key, and key_file names none")
    return PemError("key", "should hold a private key in PEM form")


@contextmanager
def _as_file(content: bytes) -> Iterator[Path]:
    """Give content a path, which OpenSSL wants, where possible without a file system."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("pem"), "wb") as file:
            file.write(content)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.NamedTemporaryFile() as file:  # only its owner may read it
            file.write(content)
            file.flush()
            yield Path(file.name)
