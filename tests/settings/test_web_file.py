"""The web configuration file, and the warning about world-readable secrets."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.settings import SettingsError, WebFile, load, read_web_file
from exporter.settings.file_modes import secret_files, warn_world_readable
from exporter.settings.web_tls import CURVES
from tests.settings.test_settings import CANARY, KEY, TARGETS, Home, certificate, encrypted

HASH = bcrypt.hashpw(b"pw", b"$2b$04$5.OjWvZ8JH4tMOFtrGvXiu").decode()
TLS = {"cert_file": "a.pem", "key_file": "a.key"}
MUTUAL = {**TLS, "client_ca_file": "ca.pem", "client_auth_type": "RequireAndVerifyClientCert"}
ALL_HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "X-XSS-Protection": "1",
}
SUITE, OTHER_SUITE = (
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A directory with certificates; tests write their web.yaml into it."""
    home = Home(tmp_path_factory.mktemp("web"))
    authority = trustme.CA()
    home.file("ca.pem", authority.cert_pem.bytes())
    _, key = certificate(home, authority, "a")
    certificate(home, authority, "b")
    home.file("locked", encrypted(key))
    home.file("junk", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    return home


def read(home: Home, tree: object) -> WebFile:
    return read_web_file(Path(home.file("web.yaml", yaml.safe_dump(tree, sort_keys=False))))


def context(home: Home, **more: object) -> ssl.SSLContext:
    found = read(home, {"tls_server_config": {**TLS, **more}}).tls_server_config.context
    assert found
    return found


def refused(home: Home, tree: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read(home, tree)
    return caught.value.faults


def test_a_file_of_the_toolkits_documentation_is_read_whole(home: Home) -> None:
    found = read(
        home,
        {
            "tls_server_config": {
                **MUTUAL,
                "min_version": "TLS12",
                "max_version": "TLS13",
                "cipher_suites": [SUITE, "TLS_AES_128_GCM_SHA256"],
                "prefer_server_cipher_suites": True,
                "curve_preferences": ["CurveP256"],
                "client_allowed_sans": ["prometheus.example"],
            },
            "http_server_config": {"http2": True, "headers": ALL_HEADERS},
            "basic_auth_users": {"prometheus": HASH},
            "rate_limit": {"interval": "1s", "burst": 20},
        },
    )
    assert found.tls_server_config.enabled
    assert found.http_server_config.headers == ALL_HEADERS
    assert found.basic_auth_users["prometheus"].get_secret_value() == HASH
    assert (found.rate_limit.interval, found.rate_limit.burst) == (1.0, 20)
    assert HASH not in repr(found)


@pytest.mark.parametrize("text", ["", "tls_server_config:\nbasic_auth_users:\n", "{}"])
def test_an_empty_file_guards_nothing(home: Home, text: str) -> None:
    found = read_web_file(Path(home.file("web.yaml", text)))
    assert (found.tls_server_config.enabled, found.basic_auth_users) == (False, {})


def test_certificates_can_be_inline(home: Home) -> None:
    texts = {key: (home.directory / f"a.{end}").read_text() for key, end in PARTS.items()}
    found = read(home, {"tls_server_config": texts})
    assert found.tls_server_config.context
    assert found.has_secrets
    assert texts["key"] not in repr(found)


PARTS = {"cert": "pem", "key": "key"}


def test_the_context_has_the_configured_tls_options(home: Home) -> None:
    plain = context(home)
    assert plain.minimum_version == ssl.TLSVersion.TLSv1_2
    assert plain.verify_mode == ssl.CERT_NONE
    assert plain.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert context(home, min_version="TLS13").minimum_version == ssl.TLSVersion.TLSv1_3
    assert context(home, max_version="TLS12").maximum_version == ssl.TLSVersion.TLSv1_2
    theirs = context(home, prefer_server_cipher_suites=False)
    assert not theirs.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    suites = context(home, cipher_suites=[OTHER_SUITE, SUITE]).get_ciphers()
    assert [each["name"] for each in suites if each["protocol"] == "TLSv1.2"] == [
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ]
    only_new = context(home, cipher_suites=["TLS_AES_128_GCM_SHA256"])
    assert only_new.minimum_version == ssl.TLSVersion.TLSv1_3
    both = {"client_ca_file": "ca.pem", "client_auth_type": "VerifyClientCertIfGiven"}
    assert context(home, **both).verify_mode == ssl.CERT_OPTIONAL
    mutual = context(home, **MUTUAL)
    assert mutual.verify_mode == ssl.CERT_REQUIRED
    assert mutual.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize(
    ("tls", "fault"),
    [
        ({"key_file": "a.key"}, "cert_file: is required for TLS, or cert"),
        ({"min_version": "TLS13"}, "cert_file: is required for TLS, or cert"),
        ({"cert_file": "a.pem"}, "key_file: is required for TLS, or key"),
        ({**TLS, "key": "x"}, "key_file: conflicts with key. Set only one"),
        ({**TLS, "cert_file": "none"}, "cert_file: the file cannot be read: No such file"),
        ({**TLS, "cert_file": "junk"}, "cert_file: should hold a certificate in PEM form"),
        ({**TLS, "key_file": "junk"}, "key_file: should hold a private key in PEM form"),
        ({**TLS, "key_file": "b.key"}, "key_file: the private key is not that of the cert"),
        ({**TLS, "key_file": "locked"}, "key_file: the private key should not be encrypted"),
        ({**MUTUAL, "client_ca_file": "junk"}, "client_ca_file: should hold certificates in PEM"),
        ({**TLS, "client_ca_file": "ca.pem"}, "client_ca_file: requires client_auth_type"),
        ({**TLS, "client_auth_type": "VerifyClientCertIfGiven"}, "client_ca_file: is required"),
        (
            {**MUTUAL, "client_auth_type": "RequestClientCert"},
            "client_auth_type: RequestClientCert is not supported, as every certificate that a "
            "client sends is verified. Use VerifyClientCertIfGiven, or NoClientCert",
        ),
        (
            {**MUTUAL, "client_auth_type": "RequireAnyClientCert"},
            "client_auth_type: RequireAnyClientCert is not supported",
        ),
        ({**TLS, "client_auth_type": "Yes"}, "client_auth_type: should be one of NoClientCert, "),
        ({**TLS, "client_allowed_sans": ["a"]}, "client_allowed_sans: requires client_auth_type: "),
        ({**MUTUAL, "client_allowed_sans": []}, "client_allowed_sans: should have at least 1"),
        ({**TLS, "min_version": "TLS10"}, "min_version: TLS10 is not supported, as RFC 8996"),
        ({**TLS, "min_version": "SSL3"}, "min_version: should be one of TLS12, TLS13"),
        (
            {**TLS, "min_version": "TLS13", "max_version": "TLS12"},
            "min_version: should not be above max_version",
        ),
        ({**TLS, "cipher_suites": ["RC4"]}, "cipher_suites[0]: should be one of TLS_ECDHE_"),
        (
            {**TLS, "cipher_suites": ["TLS_AES_128_GCM_SHA256"], "max_version": "TLS12"},
            "cipher_suites: should have one for TLS 1.2",
        ),
        (
            {**TLS, "curve_preferences": ["X25519", "CurveP256"]},
            "curve_preferences: should have at most 1",
        ),
        ({**TLS, "curve_preferences": ["CurveP1"]}, "curve_preferences[0]: should be one of "),
        ({**TLS, "certfile": "a.pem"}, "certfile: unknown key; did you mean 'cert_file'?"),
    ],
)
def test_tls_that_cannot_work_is_refused_with_its_key(
    home: Home, tls: Mapping[str, object], fault: str
) -> None:
    (found,) = refused(home, {"tls_server_config": tls})
    assert found.startswith(f"tls_server_config.{fault}")


@pytest.mark.parametrize(
    ("method", "tls", "key"),
    [
        ("set_ecdh_curve", {"curve_preferences": ["X25519"]}, "curve_preferences"),
        ("set_ciphers", {"cipher_suites": [SUITE]}, "cipher_suites"),
    ],
)
def test_an_option_that_openssl_lacks_is_reported(
    home: Home, method: str, tls: Mapping[str, object], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(context: ssl.SSLContext, name: str) -> None:
        raise ssl.SSLError(1, "[SSL] unknown group (_ssl.c:1)")

    monkeypatch.setattr(ssl.SSLContext, method, refuse)
    (fault,) = refused(home, {"tls_server_config": {**TLS, **tls}})
    assert fault.startswith(f"tls_server_config.{key}: OpenSSL")
    assert fault.endswith("does not offer this. Choose another, or remove the key")


@pytest.mark.parametrize("curve", ["CurveP256", "CurveP384", "CurveP521", "X25519"])
def test_every_curve_of_the_toolkit_can_be_chosen(home: Home, curve: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(CURVES[curve])
    except (ssl.SSLError, ValueError):
        pytest.skip(f"this Python's {ssl.OPENSSL_VERSION} does not offer {curve}")
    assert context(home, curve_preferences=[curve])


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ({"basic_auth_user": {}}, "basic_auth_user: unknown key; did you mean 'basic_auth_users'?"),
        ({"http_server_config": {"header": {}}}, "http_server_config.header: unknown key; did you"),
        ({"http_server_config": {"http2": 7}}, "http_server_config.http2: should be true or"),
        (
            {"http_server_config": {"headers": {"X-Other": "1"}}},
            "http_server_config.headers: only these can be set: Content-Security-Policy, ",
        ),
        (
            {"http_server_config": {"headers": {"X-Frame-Options": "maybe"}}},
            "http_server_config.headers: X-Frame-Options should be deny or sameorigin",
        ),
        (
            {"http_server_config": {"headers": {"X-XSS-Protection": "1\r\nX: y"}}},
            "http_server_config.headers: X-XSS-Protection should be printable ASCII",
        ),
        ({"rate_limit": {"interval": "soon"}}, "rate_limit.interval: should be a duration"),
        ({"rate_limit": {"interval": "1s"}}, "rate_limit.burst: should be at least 1"),
        ({"basic_auth_users": ["a"]}, "basic_auth_users: should be a mapping of user names"),
        ({"basic_auth_users": {7: HASH}}, "basic_auth_users: entry 1: the user name should be a"),
        ({"basic_auth_users": {"a:b": HASH}}, "basic_auth_users: entry 1: the user name should"),
        (
            {"basic_auth_users": {"a": HASH.replace("$04$", "$31$")}},
            "basic_auth_users: entry 1: the bcrypt hash should have a cost from 4 to 16",
        ),
    ],
)
def test_an_invalid_value_is_refused_with_its_key(home: Home, tree: object, fault: str) -> None:
    (found,) = refused(home, tree)
    assert found.startswith(fault)


def _changed(hashed: str) -> list[str]:
    return [
        CANARY,
        "",
        hashed[:-1],
        f"{hashed}x",
        f"{hashed}\n",
        hashed.replace("$2b$", "$1$"),
        f"{hashed[:28]}z{hashed[29:]}",
    ]


@pytest.mark.parametrize("hashed", _changed(HASH))
def test_a_malformed_hash_is_refused_and_not_quoted(home: Home, hashed: str) -> None:
    (fault,) = refused(home, {"basic_auth_users": {"good": HASH, "bad": hashed}})
    assert fault.startswith("basic_auth_users: entry 2: the password should be a bcrypt hash")
    assert CANARY not in fault
    assert "bad" not in fault


@pytest.mark.parametrize("version", ["2a", "2b", "2y"])
def test_hashes_of_all_makers_are_taken(home: Home, version: str) -> None:
    assert read(home, {"basic_auth_users": {"a": HASH.replace("2b", version)}}).basic_auth_users


def test_a_bad_web_file_is_a_bad_setting(home: Home) -> None:
    home.file("web.yaml", "tls_server_config: {cert_file: none.pem}\nbasic_auth_users: {a: b}\n")
    assert home.refused({**TARGETS, "web": {"config_file": "web.yaml"}}) == (
        "web.config_file: tls_server_config.cert_file: the file cannot be read: "
        f"No such file or directory: {home.directory / 'none.pem'}",
        "web.config_file: basic_auth_users: entry 1: the password should be a bcrypt hash, as "
        "`htpasswd -nBC 10 NAME` prints it after the colon",
    )
    home.file("web.yaml", "a: [")
    (fault,) = home.refused(flags={"web": {"config_file": str(home.directory / "web.yaml")}})
    assert fault.startswith("web.config_file (from --web.config.file): line 1, column 5: ")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [*WebFile.model_fields, *WebFile().tls_server_config.model_dump(), "headers"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
@hypothesis(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_is_a_web_file_or_an_error(home: Home, tree: Any) -> None:
    faults: tuple[str, ...] = ()
    try:
        assert read(home, tree) == read(home, tree)
    except SettingsError as error:
        faults = error.faults
    assert all(fault and "\n" not in fault for fault in faults)


def secrets_of(home: Home, tree: object, environ: Mapping[str, str]) -> dict[str, str]:
    found = secret_files(home.load(tree, environ), home.config)
    return {key: path.name for key, path in found}


def test_every_file_with_a_secret_is_looked_at(home: Home) -> None:
    web = {"tls_server_config": TLS, "basic_auth_users": {"a": HASH}}
    home.file("web.yaml", yaml.safe_dump(web))
    home.file("key", "k")
    proxy = "http://user:pw@proxy.example"
    tree: dict[str, object] = {**TARGETS, "web": {"config_file": "web.yaml"}}
    assert secrets_of(home, {**tree, "palette": {"tls": TLS, "proxy_url": proxy}}, KEY) == {
        "config.file": "config.yaml",
        "palette.tls.key_file": "a.key",
        "web.config_file": "web.yaml",
        "web.config_file: tls_server_config.key_file": "a.key",
    }
    home.file("web.yaml", "")
    for keys, expected in (
        ({"api_key_file": "key"}, {"palette.api_key_file": "key"}),
        ({"username": "u", "password_file": "key"}, {"palette.password_file": "key"}),
        ({"api_key": "k"}, {"config.file": "config.yaml"}),
    ):
        assert secrets_of(home, {**tree, "palette": keys}, {}) == expected
    assert secrets_of(home, {**tree, "palette": {"proxy_url": "http://proxy.example"}}, KEY) == {}
    assert not [*secret_files(load(environ=KEY), None)]


@pytest.mark.parametrize(("mode", "told"), [(0o644, 1), (0o604, 1), (0o640, 0), (0o600, 0)])
def test_a_world_readable_secret_is_logged_once(home: Home, mode: int, told: int) -> None:
    secret = Path(home.file("real", CANARY))
    secret.chmod(mode)
    link = home.directory / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(secret)
    settings = home.load({**TARGETS, "palette": {"api_key_file": "link"}}, {})
    warned: set[Path] = set()
    with capture_logs() as log:
        warn_world_readable(settings, home.config, warned)
        warn_world_readable(settings, home.config, warned)
    assert [each["path"] for each in log] == [str(link)] * told
    assert CANARY not in str(log)
