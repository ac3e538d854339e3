"""TLS contexts, and certificates and private keys in PEM form; standard library only."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

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


def client_context(authorities: Path | None) -> ssl.SSLContext:
    """Return a context that verifies servers.

    authorities: a file of certificates; None for the system's. Raises PemError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    verify_as_curl_does(context)
    if authorities is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(authorities)
    except (OSError, ValueError):
        raise PemError("certificate", "should hold certificates in PEM form") from None
    return context


def verify_as_curl_does(context: ssl.SSLContext) -> None:
    """Accept every trusted certificate as an anchor, and do not demand RFC 5280 to the letter.

    The defaults of ``ssl.create_default_context`` differ: Python 3.13 refuses certificates
    without key identifiers, and earlier versions refuse an issuing authority as the anchor.
    """
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT


def load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes | None) -> None:
    """Give a context its certificate, with the chain behind it, and the private key.

    key: None if it is in the file of the certificate. Raises PemError.
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
    verify_as_curl_does(context)
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
            "certificate",
            f"cannot be passed to OpenSSL: no temporary file can be created ({error.strerror}). "
            "Set TMPDIR to a writable directory",
        ) from None
