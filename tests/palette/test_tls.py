"""Names, ports and certificates of Palette."""

import ssl

import pytest
import trustme

from exporter.palette.errors import (
    ConnectionFailed,
)
from tests.palette.conftest import (
    UID,
    VMS,
    MakeTransport,
    Record,
    Serve,
    answers,
    free_port,
    ok,
    trusting,
)


async def test_a_name_without_address_says_so(transport_to: MakeTransport, record: Record) -> None:
    with pytest.raises(
        ConnectionFailed, match=r"^the host name palette\.invalid cannot be resolved$"
    ):
        await transport_to("https://palette.invalid").get(VMS, bytes, path=UID)
    assert record.codes == ["error"] * 4


async def test_a_refused_connection_says_so(transport_to: MakeTransport) -> None:
    port = free_port()
    with pytest.raises(
        ConnectionFailed, match=f"^no connection to 127.0.0.1:{port}: connection refused$"
    ):
        await transport_to(f"http://127.0.0.1:{port}").get(VMS, bytes, path=UID)


async def test_an_unknown_authority_is_refused_with_openssls_words_and_not_retried(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext, record: Record
) -> None:
    handler, seen = answers(ok())
    base = await serve(handler, tls=tls, host="localhost")
    with pytest.raises(ConnectionFailed, match=r"certificate of localhost:\d+ .*: unable to get"):
        await transport_to(base).get(VMS, bytes, path=UID)
    assert seen == []
    assert record.codes == ["error"]


async def test_a_certificate_for_another_name_is_refused(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    handler, _ = answers(ok())
    with pytest.raises(ConnectionFailed, match="certificate is not valid for"):
        await transport_to(await serve(handler, tls=tls), ssl=trusting(ca)).get(
            VMS, bytes, path=UID
        )


async def test_a_known_authority_is_trusted(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    handler, _ = answers(ok())
    base = await serve(handler, tls=tls, host="localhost")
    assert await transport_to(base, ssl=trusting(ca)).get(VMS, bytes, path=UID) == b"{}"


async def test_verification_can_be_switched_off(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext
) -> None:
    handler, _ = answers(ok())
    assert (
        await transport_to(await serve(handler, tls=tls), ssl=False).get(VMS, bytes, path=UID)
        == b"{}"
    )


async def test_a_client_certificate_is_shown_where_one_is_demanded(
    serve: Serve, transport_to: MakeTransport, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    tls.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(tls)
    handler, _ = answers(ok())
    base = await serve(handler, tls=tls, host="localhost")
    with pytest.raises(ConnectionFailed, match="closed by the other side"):
        await transport_to(base, ssl=trusting(ca)).get(VMS, bytes, path=UID)
    context = trusting(ca)
    ca.issue_cert("exporter").configure_cert(context)
    assert await transport_to(base, ssl=context).get(VMS, bytes, path=UID) == b"{}"


async def test_tls_to_a_server_without_it_says_so(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(ok())
    base = (await serve(handler)).replace("http:", "https:")
    with pytest.raises(ConnectionFailed, match=r"TLS failed \("):
        await transport_to(base).get(VMS, bytes, path=UID)
    assert record.codes == ["error"]
