"""Settings through ``load``, with real files; ``refused`` returns the lines of the error."""

import json
import os
import ssl
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from exporter.settings import Credential, Leaf, Settings, SettingsError, leaves, load

CANARY = "c4n4ry-S3CR3T"
NO_DIGITS = str.maketrans("34", "ea")
KEY = {"SPECTROCLOUD_APIKEY": "key"}
TARGET = {"cluster_uid": "c1", "namespace": "vms", "vm": "db", "snapshot": "s1"}
TARGETS = {"targets": [TARGET]}
FROM_ENV = {"PALETTE_EXPORTER_TARGETS": json.dumps([TARGET])}


class Home:
    """A directory with a configuration file, and ways to load it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "config.yaml"

    def file(self, name: str, content: str | bytes) -> str:
        path = self.directory / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def load(
        self,
        config: object = TARGETS,
        environ: Mapping[str, str] = KEY,
        flags: Mapping[str, object] | None = None,
        demo: bool = False,
    ) -> Settings:
        text = config if isinstance(config, str | bytes) else yaml.safe_dump(config)
        self.file("config.yaml", text)
        return load(flags=flags or {}, config_file=self.config, environ=environ, demo=demo)

    def refused(self, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        with pytest.raises(SettingsError) as caught:
            self.load(*args, **kwargs)
        assert str(caught.value) == "\n".join(caught.value.faults)
        assert all("\n" not in fault for fault in caught.value.faults)
        return self.without_the_file(caught.value.faults)

    def without_the_file(self, faults: Sequence[str]) -> tuple[str, ...]:
        """Return faults without the path of the file they are in."""
        return tuple(fault.replace(f" (from {self.config})", "") for fault in faults)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def palette(**keys: object) -> dict[str, object]:
    return {**TARGETS, "palette": keys}


def section(name: str, **keys: object) -> dict[str, object]:
    return {**TARGETS, name: keys}


def test_a_key_and_a_target_are_enough(home: Home) -> None:
    settings = home.load()
    assert settings.palette.credential() == Credential(SecretStr("key"))
    assert settings.palette.url == "https://api.spectrocloud.com"
    assert (settings.palette.timeout, settings.palette.burst) == (10, 50)
    assert settings.palette.requests_per_second == 40
    assert (settings.refresh.interval, settings.refresh.stale_after) == (60, 300)
    assert settings.web.address == (None, 10180)
    assert settings.web.telemetry_path == "/metrics"
    assert (settings.log.level, settings.log.format) == ("info", "logfmt")
    assert [target.snapshot for target in settings.targets] == ["s1"]


def test_no_file_is_needed_when_the_environment_says_it_all() -> None:
    assert load(environ={**KEY, **FROM_ENV}).targets[0].vm == "db"


def test_settings_cannot_be_changed(home: Home) -> None:
    with pytest.raises(ValidationError):
        home.load().web.listen_address = ":1"


def test_flags_beat_the_environment_which_beats_the_file(home: Home) -> None:
    config = section("refresh", interval="30s", stale_after="1h")
    environ = KEY | {"PALETTE_EXPORTER_REFRESH__INTERVAL": "20s"}
    flags = {"refresh": {"interval": "10s"}}
    assert home.load(config).refresh.interval == 30
    assert home.load(config, environ).refresh.interval == 20
    assert home.load(config, environ, flags).refresh.interval == 10
    assert home.load(config, environ, flags).refresh.stale_after == 3600


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("1m30s", 90), (90, 90), (1.5, 1.5), ("90", 90), ("1.5", 1.5), ("1d", 86400)],
)
def test_durations_are_text_or_numbers(home: Home, written: object, seconds: float) -> None:
    assert home.load(palette(timeout=written)).palette.timeout == seconds


ALL_WRONG: list[tuple[str, object, str]] = [
    ("palette.timeout", "5 minutes", "should be a duration such as"),
    ("palette.timeout", True, "should be a duration"),
    ("palette.timeout", [], "should be a duration"),
    ("palette.timeout", float("nan"), "should be a duration"),
    ("palette.timeout", float("inf"), "should be a duration"),
    ("palette.timeout", 10**400, "should be a duration"),
    ("palette.timeout", -1, "should be a duration"),
    ("palette.timeout", 0.999, "should be at least 1s"),
    ("refresh.interval", "0", "should be at least 1s"),
    ("refresh.stale_after", "999ms", "should be at least 1s"),
    ("refresh.stale_after", "59s", "59s is below refresh.interval, 1m"),
    ("palette.requests_per_second", 0, "should be above 0"),
    ("palette.requests_per_second", float("inf"), "should be a finite number"),
    ("palette.requests_per_second", float("nan"), "should be above 0"),
    ("palette.requests_per_second", True, "should be a number"),
    ("palette.requests_per_second", "x", "should be a number"),
    ("palette.requests_per_second", 10**400, "should be a"),
    ("palette.burst", 0, "should be at least 1"),
    ("palette.burst", 1.5, "should be a whole number"),
    ("palette.burst", 10**400, "should be at most"),
    ("palette.burst", True, "should be a number"),
    ("palette.url", "palette", "needs a scheme, as in https://"),
    ("palette.url", "", "should not be empty"),
    ("palette.url", 5, "should be a string: put it in quotes"),
    ("palette.url", "ftp://palette.example", "should start with https:// or http://"),
    ("palette.url", "https://", "should have a host name"),
    ("palette.url", "https://a..b", "should have a host name"),
    ("palette.url", "https://palette.example:", "should have a host name"),
    ("palette.url", "https://palette.example:0", "should have a host name"),
    ("palette.url", "https://palette.example:70000", "should be a URL"),
    ("palette.url", "https://[::1", "should be a URL"),
    ("palette.url", "https://pal\nette.example", "without spaces or control characters"),
    ("palette.url", "https://palette.example/?a=b", "should have no query"),
    ("palette.url", "https://palette.example#", "should have no query and no fragment"),
    ("palette.url", "https://user@palette.example", "should hold no user name"),
    ("palette.url", "user:pw@palette.example", "should hold no user name"),
    ("palette.proxy_url", "proxy:3128", "should start with https:// or http://"),
    ("palette.proxy_url", "http://", "should have a host name"),
    ("palette.proxy_url", "http://proxy/path", "should have no path"),
    ("palette.proxy_url", 3128, "should be a string: put it in quotes"),
    ("palette.project_uid", 65, "should be a string: put it in quotes"),
    ("palette.project_uid", "a\nb", "should be printable ASCII"),
    ("palette.tls", "yes", "should be a mapping"),
    ("palette.tls.insecure_skip_verify", "maybe", "should be true or false"),
    ("web.listen_address", "10180", "should be host:port"),
    ("web.listen_address", 10180, "should be a string: put it in quotes"),
    ("web.listen_address", ":65536", "should be host:port"),
    ("web.listen_address", "::1:10180", "should be host:port"),
    ("web.listen_address", "[localhost]:10180", "should be host:port"),
    ("web.telemetry_path", "metrics", "should be a path such as /metrics"),
    ("web.telemetry_path", "/", "should be a path such as /metrics"),
    ("web.telemetry_path", "/a b", "should be a path such as /metrics"),
    ("web.telemetry_path", "/a/../b", "should have no '.' and '..'"),
    ("web.telemetry_path", "/-/healthy", "which are taken"),
    ("web.telemetry_path", "/-/x", "which are taken"),
    ("web.telemetry_path", "/api/x", "which are taken"),
    ("web.telemetry_path", "/probe", "which are taken"),
    ("web.telemetry_path", "/config/", "which are taken"),
    ("web.telemetry_path", "/docs/metrics.md", "which are taken"),
    ("web.telemetry_path", "/status.css", "which are taken"),
    ("web.telemetry_path", "/vms/x", "which are taken"),
    ("log.level", "loud", "should be one of 'debug', 'info', 'warning' or 'error'"),
    ("log.format", "xml", "should be one of 'logfmt' or 'json'"),
    ("targets", {}, "should be a list"),
    ("targets", [], "no target"),
]


@pytest.mark.parametrize(("place", "value", "message"), ALL_WRONG)
def test_a_bad_value_is_refused_in_one_line_that_says_where(
    home: Home, place: str, value: object, message: str
) -> None:
    tree: dict[str, Any] = dict(TARGETS)
    inner = tree
    *sections, key = place.split(".")
    for name in sections:
        inner = inner.setdefault(name, {})
    inner[key] = value
    (fault,) = home.refused(tree)
    assert fault.startswith(f"{place}: ")
    assert message in fault


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("palette.example", "https://palette.example"),
        ("localhost", "https://localhost"),
        ("palette:8443", "https://palette:8443"),
        ("http://palette", "http://palette"),
        ("HTTPS://Palette.Example/Some/Prefix/", "https://palette.example/Some/Prefix"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_urls_are_brought_to_one_form(home: Home, written: str, normal: str) -> None:
    assert home.load(palette(url=written)).palette.url == normal


def test_the_vendors_host_can_be_a_bare_name_and_overrides_only_the_file(
    home: Home,
) -> None:
    config = palette(url="https://file.example")
    environ = {**KEY, "SPECTROCLOUD_HOST": "palette"}
    assert home.load(config, environ).palette.url == "https://palette"
    ours = {**environ, "PALETTE_EXPORTER_PALETTE__URL": "https://ours.example"}
    assert home.load(config, ours).palette.url == "https://ours.example"
    flags = {"palette": {"url": "https://flag.example"}}
    assert home.load(config, ours, flags).palette.url == "https://flag.example"
    assert home.load(config, {**KEY, "SPECTROCLOUD_HOST": ""}).palette.url.endswith("file.example")
    (fault,) = home.refused(config, {**KEY, "SPECTROCLOUD_HOST": "a b"})
    assert fault.startswith("palette.url (from SPECTROCLOUD_HOST): ")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        (":10180", (None, 10180)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:10180", ("::1", 10180)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_addresses_are_taken_apart(home: Home, address: str, parts: tuple[str | None, int]) -> None:
    assert home.load(section("web", listen_address=address)).web.address == parts


def test_warn_is_a_warning(home: Home) -> None:
    assert home.load(section("log", level="warn")).log.level == "warning"


# Credentials


def test_a_key_file_is_read_at_each_call(home: Home) -> None:
    path = home.file("key", "one\n")
    settings = home.load(palette(api_key_file=path), {})
    assert settings.palette.credential() == Credential(SecretStr("one"))
    home.file("key", "two\r\n")
    assert settings.palette.credential() == Credential(SecretStr("two"))
    Path(path).unlink()
    with pytest.raises(SettingsError, match=r"^palette\.api_key_file: the file cannot be read"):
        settings.palette.credential()


def test_a_login_needs_no_key(home: Home) -> None:
    path = home.file("password", "pass word\n")
    login = {"username": "me", "password_file": path}
    assert home.load(palette(**login, org="ops"), {}).palette.credential() == Credential(
        SecretStr("pass word"), "me", "ops"
    )
    environ = {f"PALETTE_EXPORTER_PALETTE__{key.upper()}": text for key, text in login.items()}
    assert home.load(TARGETS, environ).palette.credential().username == "me"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "should not be empty"),
        (b"\n", "should not be empty"),
        (b" \n", "should not be empty"),
        (b"one\ntwo\n", "should be a single line"),
        (b"one\n\n", "should be a single line"),
        (b"o\x00ne", "should have no control characters"),
        (b"o\tne", "should have no control characters"),
        ("kéy€".encode(), "no characters outside ASCII"),
        (b"a key", "should have no spaces"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"k" * (64 * 1024 + 1), "larger than 64 KiB"),
    ],
)
def test_a_key_file_that_no_header_can_hold_is_refused(
    home: Home, content: bytes, message: str
) -> None:
    path = home.file("key", content)
    (fault,) = home.refused(palette(api_key_file=path), {})
    assert fault.startswith("palette.api_key_file: ")
    assert message in fault


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", "a directory"),
        ("none", "No such file"),
        ("a\0b", "not a path"),
        ("", "should not be empty"),
    ],
)
def test_a_path_that_is_not_a_file_is_refused(home: Home, name: str, message: str) -> None:
    (fault,) = home.refused(palette(api_key_file=name), {})
    assert fault.startswith("palette.api_key_file: ")
    assert message in fault


def test_a_pipe_is_refused_rather_than_waited_for(home: Home) -> None:
    os.mkfifo(home.directory / "pipe")
    assert "not a device or pipe" in home.refused(palette(api_key_file="pipe"), {})[0]


def test_paths_start_at_the_config_file_or_at_the_working_directory(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.directory / "here").mkdir()
    monkeypatch.chdir(home.directory / "here")
    home.file("key", "beside-the-config")
    home.file("here/key", "in-the-working-directory")
    environ = {"PALETTE_EXPORTER_PALETTE__API_KEY_FILE": "key"}
    flags = {"palette": {"api_key_file": "key"}}
    from_file = home.load(palette(api_key_file="key"), {})
    assert from_file.palette.credential() == Credential(SecretStr("beside-the-config"))
    for settings in (home.load(TARGETS, environ), home.load(TARGETS, {}, flags)):
        assert settings.palette.credential() == Credential(SecretStr("in-the-working-directory"))


def test_the_key_of_a_higher_source_replaces_the_lower_ones(home: Home) -> None:
    path = home.file("key", "from-a-file")
    in_file = palette(api_key="in-the-config")
    assert home.load(in_file, {}).palette.credential() == Credential(SecretStr("in-the-config"))
    assert home.load(in_file, KEY).palette.credential() == Credential(SecretStr("key"))
    assert home.load(palette(api_key_file="missing"), KEY).palette.api_key_file is None
    flags = {"palette": {"api_key_file": path}}
    settings = home.load(in_file, KEY, flags)
    assert settings.palette.credential() == Credential(SecretStr("from-a-file"))


def test_an_empty_variable_counts_as_not_given(home: Home) -> None:
    environ = {
        "SPECTROCLOUD_APIKEY": "",
        "PALETTE_EXPORTER_PALETTE__API_KEY_FILE": "",
        "PALETTE_EXPORTER_REFRESH__INTERVAL": "",
    }
    settings = home.load(palette(api_key="k"), environ)
    assert settings.palette.credential() == Credential(SecretStr("k"))
    assert "no credential" in home.refused(TARGETS, environ)[0]


CLASHES: list[tuple[dict[str, object], dict[str, str], str]] = [
    ({}, {}, "palette: no credential. Set palette.api_key_file,"),
    (
        {"api_key": "k", "api_key_file": "FILE"},
        {},
        "palette.api_key_file: conflicts with palette.api_key. Set only one",
    ),
    (
        {},
        KEY | {"PALETTE_EXPORTER_PALETTE__API_KEY_FILE": "FILE"},
        "palette.api_key_file (from PALETTE_EXPORTER_PALETTE__API_KEY_FILE): conflicts with "
        "palette.api_key (from SPECTROCLOUD_APIKEY)",
    ),
    ({"username": "u"}, {}, "palette.username: requires palette.password_file"),
    ({"password_file": "FILE"}, {}, "palette.password_file: requires palette.username"),
    (
        {"username": "u", "password_file": "FILE"},
        KEY,
        "palette.username: conflicts with palette.api_key",
    ),
    (
        {},
        {"PALETTE_EXPORTER_PALETTE__API_KEY": "k"},
        "palette.api_key (from PALETTE_EXPORTER_PALETTE__API_KEY): is not read from here. Use "
        "SPECTROCLOUD_APIKEY",
    ),
    (
        {},
        {"PALETTE_EXPORTER_PALETTE": '{"api_key": "k"}'},
        "palette.api_key (from PALETTE_EXPORTER_PALETTE): is not read from here",
    ),
]


@pytest.mark.parametrize(("keys", "environ", "message"), CLASHES)
def test_one_way_in_and_no_more(
    home: Home, keys: dict[str, object], environ: dict[str, str], message: str
) -> None:
    path = home.file("secret", "s")
    keys = {key: path if value == "FILE" else value for key, value in keys.items()}
    environ = {key: path if value == "FILE" else value for key, value in environ.items()}
    (fault,) = home.refused(palette(**keys), environ)
    assert fault.startswith(message)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certificate(home: Home, authority: trustme.CA, name: str) -> tuple[str, str]:
    issued = authority.issue_cert(f"{name}.example")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    key = issued.private_key_pem.bytes()
    return home.file(f"{name}.pem", chain), home.file(f"{name}.key", key)


def test_a_ca_file_replaces_the_systems_trust(home: Home, authority: trustme.CA) -> None:
    path = home.file("ca.pem", authority.cert_pem.bytes())
    context = home.load(palette(tls={"ca_file": path})).palette.tls.context()
    assert context.cert_store_stats()["x509_ca"] == 1
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_verification_is_switched_off_only_on_demand(home: Home) -> None:
    environ = KEY | {"PALETTE_EXPORTER_PALETTE__TLS__INSECURE_SKIP_VERIFY": "true"}
    context = home.load(TARGETS, environ).palette.tls.context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
    assert home.load().palette.tls.context().verify_mode == ssl.CERT_REQUIRED


def test_a_client_certificate_is_loaded(home: Home, authority: trustme.CA) -> None:
    cert, key = certificate(home, authority, "client")
    assert home.load(palette(tls={"cert_file": cert, "key_file": key})).palette.tls.context()
    both = home.file("both.pem", Path(cert).read_bytes() + Path(key).read_bytes())
    assert home.load(palette(tls={"cert_file": both})).palette.tls.context()


def encrypted(key_file: str) -> bytes:
    key = serialization.load_pem_private_key(Path(key_file).read_bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"pass phrase"),
    )


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        ({"ca_file": "junk"}, "ca_file: should hold certificates in PEM form"),
        ({"ca_file": "empty"}, "ca_file: should hold certificates in PEM form"),
        ({"ca_file": "none"}, "ca_file: the file cannot be read: No such file"),
        ({"cert_file": "a.pem"}, "cert_file: holds no private key, and key_file names none"),
        ({"cert_file": "junk", "key_file": "a.key"}, "cert_file: should hold a certificate"),
        ({"cert_file": "a.pem", "key_file": "junk"}, "key_file: should hold a private key in PEM"),
        ({"cert_file": "a.pem", "key_file": "b.key"}, "key_file: the private key is not that of"),
        ({"cert_file": "a.pem", "key_file": "locked"}, "key_file: the private key should not be"),
        ({"key_file": "a.key"}, "key_file: requires palette.tls.cert_file"),
    ],
)
def test_broken_tls_files_are_found_before_anything_starts(
    home: Home, authority: trustme.CA, tls: dict[str, object], message: str
) -> None:
    _, key = certificate(home, authority, "a")
    certificate(home, authority, "b")
    home.file("junk", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    home.file("empty", "")
    home.file("locked", encrypted(key))
    (fault,) = home.refused(palette(tls=tls))
    assert fault.startswith(f"palette.tls.{message}")


# Targets


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vm": None}, "targets[0].vm: is empty. Give it a value, or remove the key"),
        ({"vm": ""}, "targets[0].vm: should not be empty"),
        ({"namespace": ".."}, "targets[0].namespace: should be a name"),
        ({"snapshot": 5}, "targets[0].snapshot: should be a string: put it in quotes"),
        ({"cluster_uid": True}, "targets[0].cluster_uid: should be a string: put it in quotes"),
        ({"snapshto": "x"}, "targets[0].snapshto: unknown key; did you mean 'snapshot'?"),
        ({"cluster_name": ""}, "targets[0].cluster_name: should not be empty"),
    ],
)
def test_a_bad_target_is_named_by_its_index(
    home: Home, change: dict[str, object], message: str
) -> None:
    (fault,) = home.refused({"targets": [{**TARGET, **change}]})
    assert fault.startswith(message)


@pytest.mark.parametrize("key", ["cluster_uid", "namespace", "vm", "snapshot"])
def test_a_name_that_could_reach_another_path_is_refused(home: Home, key: str) -> None:
    for name in ("a/b", "a%2Fb", "a\\b", "a\nb", "a\x00", "..", "\ufeffa"):
        (fault,) = home.refused({"targets": [{**TARGET, key: name}]})
        assert fault.startswith(f"targets[0].{key}: should ")
    odd = {**TARGET, key: "a b€?;"}
    assert getattr(home.load({"targets": [odd]}).targets[0], key) == odd[key]


def test_two_targets_that_mean_the_same_are_refused(home: Home) -> None:
    other = {**TARGET, "vm": "db2"}
    named = {**TARGET, "project_uid": "p1"}
    (fault,) = home.refused({"targets": [other, TARGET, named]})
    assert fault == "targets[2]: the same as targets[1]. Remove one of them"


@pytest.mark.parametrize("key", ["cluster_name", "project_uid"])
def test_one_cluster_has_one_name_and_one_project(home: Home, key: str) -> None:
    one, two = {**TARGET, key: "a"}, {**TARGET, "vm": "db2", key: "b"}
    silent = {**TARGET, "vm": "db3"}
    (fault,) = home.refused({"targets": [silent, one, two]})
    assert fault == f"targets[2].{key}: differs from that of the same cluster in targets[1]"
    elsewhere = {**one, "cluster_uid": "c2"}
    assert len(home.load({"targets": [silent, one, elsewhere]}).targets) == 3


# Environment


def test_unknown_variables_are_refused_at_every_level(home: Home) -> None:
    environ = KEY | {
        "PALETTE_EXPORTER_REFRESH_INTERVAL": "1m",
        "PALETTE_EXPORTER_PALETTE__TLS__CA": "x",
        "PALETTE_EXPORTER_TARGETS__0__VM": "x",
        "PALETTE_EXPORTER_WEB_PORT": "9090",
    }
    faults = home.refused(TARGETS, environ)
    assert [fault.split(":")[0] for fault in faults] == [
        name for name in environ if name not in KEY
    ]
    assert faults[0].endswith("did you mean PALETTE_EXPORTER_REFRESH__INTERVAL?")


def test_the_variables_of_a_kubernetes_service_are_ignored(home: Home) -> None:
    assert home.load(
        TARGETS,
        KEY
        | {
            "PALETTE_EXPORTER_SERVICE_HOST": "10.0.0.1",
            "PALETTE_EXPORTER_SERVICE_PORT": "10180",
            "PALETTE_EXPORTER_SERVICE_PORT_HTTP": "10180",
            "PALETTE_EXPORTER_PORT": "tcp://10.0.0.1:10180",
            "PALETTE_EXPORTER_PORT_10180_TCP": "tcp://10.0.0.1:10180",
            "PALETTE_EXPORTER_PORT_10180_TCP_ADDR": "10.0.0.1",
            "PALETTE_EXPORTER_METRICS_PORT": "tcp://10.0.0.1:10180",
        },
    )


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "no", "5", '{"a": 1}', "[1]"])
def test_targets_that_are_no_json_list_are_refused(home: Home, text: str) -> None:
    (fault,) = home.refused({}, KEY | {"PALETTE_EXPORTER_TARGETS": text})
    assert "(from PALETTE_EXPORTER_TARGETS): should be a " in fault


@pytest.mark.parametrize("name", ["PALETTE", "WEB", "PALETTE__TLS"])
def test_a_section_that_is_no_mapping_is_refused_wherever_its_keys_are_set_too(
    home: Home, name: str
) -> None:
    config = {**palette(api_key="k", tls={"insecure_skip_verify": True}), "web": {}}
    (fault,) = home.refused(config, {f"PALETTE_EXPORTER_{name}": "5"})
    assert f"(from PALETTE_EXPORTER_{name}): should be a mapping" in fault


def test_a_fault_says_which_file_flag_or_variable_it_came_from(home: Home) -> None:
    with pytest.raises(SettingsError) as caught:
        home.load({"targets": [{"cluster_uid": "c", "vm": 1}], "log": {"lvl": 1}, 5: 6}, {})
    assert [fault.partition(": ")[0] for fault in caught.value.faults] == [
        f"log.lvl (from {home.config})",
        f"top level (from {home.config})",
        f"targets[0].vm (from {home.config})",
        "palette",
    ]
    environ = KEY | {"PALETTE_EXPORTER_REFRESH__INTERVAL": "x"}
    assert home.refused(TARGETS, environ)[0].startswith(
        "refresh.interval (from PALETTE_EXPORTER_REFRESH__INTERVAL): should be a duration"
    )
    flags = {"refresh": {"interval": "x"}}
    assert home.refused(TARGETS, environ, flags)[0].startswith(
        "refresh.interval (from --refresh.interval): should be a duration"
    )


# The file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "config.file: line 1, column 5: mapping values are not allowed here"),
        ("a:\n\t- b", "config.file: line 2, column 1: found character '\\t' that cannot start"),
        ("- a", "config.file: should be a mapping"),
        ("text", "config.file: should be a mapping"),
        ("a: 1\n---\nb: 2", "config.file: line 2, column 1: but found another document"),
        ("web: {}\nlog: {}\nweb: {}", "config.file: line 3, column 1: the same key as in line 1"),
        (
            "log: {level: info, level: info}",
            "config.file: line 1, column 20: the same key",
        ),
        ("log: 2024-99-99", "config.file: line 1, column 6: ambiguous value. Put it in quotes"),
        ("log: !!int x", "config.file: line 1, column 6: ambiguous value. Put it in quotes"),
        ("{[a]: b}", "config.file: line 1, column 2: found unhashable key"),
        ("[" * 5000, "config.file: nested too deeply"),
        ("a: \x01", "config.file: character 4 is one that YAML does not allow"),
        (b"\xff\xfe", "config.file: should be text in UTF-8"),
    ],
)
def test_a_file_that_is_no_yaml_mapping_is_refused_with_its_line(
    home: Home, text: str | bytes, message: str
) -> None:
    (fault,) = home.refused(text)
    assert fault.startswith(message)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "palette:\nweb: null\n", "\ufeff"])
def test_an_empty_file_and_empty_sections_are_the_defaults(home: Home, text: str) -> None:
    assert home.load(text, KEY | FROM_ENV) == load(environ=KEY | FROM_ENV)


def test_a_config_file_that_is_not_there_is_refused(home: Home) -> None:
    for path in (home.directory / "none.yaml", home.directory):
        with pytest.raises(
            SettingsError, match=r"^config\.file: (the file cannot|should be a file, not a dir)"
        ):
            load(config_file=path, environ=KEY)


def test_an_unknown_key_comes_with_a_hint(home: Home) -> None:
    assert home.refused(section("refresh", intervall="1m")) == (
        "refresh.intervall: unknown key; did you mean 'interval'?",
    )
    assert home.refused(section("log", colour=True)) == (
        "log.colour: unknown key; allowed are level, format",
    )


def test_a_key_in_the_wrong_place_comes_with_the_right_one(home: Home) -> None:
    misplaced = {"api_key_file": "key", "interval": "1m", "tls": {}}
    assert home.refused({**section("refresh"), **misplaced}) == (
        "api_key_file: unknown key; its place is palette.api_key_file. Check the indentation",
        "interval: unknown key; its place is refresh.interval or discovery.interval. "
        "Check the indentation",
        "tls: unknown key; its place is palette.tls. Check the indentation",
    )
    assert home.refused(section("palette", objectives=[])) == (
        "palette.objectives: unknown key; its place is objectives. Check the indentation",
    )


def test_all_faults_are_reported_at_once(home: Home) -> None:
    faults = home.refused(
        {
            "palette": {"timeout": "x", "tls": {"ca_file": "none"}},
            "log": {"lvl": 1},
            "targets": [1],
        },
        {"PALETTE_EXPORTER_X": "1"},
        {"web": {"listen_address": "x"}},
    )
    assert {fault.split(":")[0] for fault in faults} == {
        "PALETTE_EXPORTER_X",
        "log.lvl",
        "palette",
        "palette.timeout",
        "palette.tls.ca_file",
        "targets[0]",
        "web.listen_address (from --web.listen-address)",
    }


# Secrets


def leaks(config: object, environ: Mapping[str, str], directory: Path) -> Iterator[str]:
    try:
        yield repr(Home(directory).load(config, environ))
    except SettingsError as error:
        yield from (str(error), repr(error), repr(error.__dict__), traceback.format_exc())
        yield repr((error.__cause__, error.__context__))


@pytest.mark.parametrize(
    ("config", "environ"),
    [
        (palette(api_key=CANARY), {}),
        (palette(api_key=CANARY, url="x"), {}),
        (palette(api_key=f"{CANARY}\n{CANARY}"), {}),
        (palette(api_key=[CANARY]), {}),
        (palette(api_key={CANARY: None}), {}),
        (palette(api_key_file=CANARY), {}),
        (palette(api_key_file="canary", url="x"), {}),
        (palette(api_key_file="canaries"), {}),
        (palette(api_key_file="latin"), {}),
        (palette(proxy_url=f"http://u:{CANARY}@proxy:3128", timeout="x"), KEY),
        (palette(proxy_url=f"ftp://u:{CANARY}@proxy:3128"), KEY),
        (palette(proxy_url=f"http://u:{CANARY}@proxy:x"), KEY),
        (palette(url=f"https://u:{CANARY}@palette.example"), KEY),
        (palette(url=f"https://u:{CANARY}@palette.example:x"), KEY),
        (palette(apikey=CANARY), KEY),
        (palette(key={"value": CANARY}), KEY),
        (CANARY, KEY),
        (f"palette: {CANARY}", KEY),
        (f"palette:\n  api_key: {CANARY}\n   url: x\n", KEY),
        (f"palette:\n  api_key: {CANARY}: x\n", KEY),
        (f"palette:\n  api_key: !{CANARY}\n", KEY),
        (f"palette:\n  api_key: *{CANARY}\n", KEY),
        (f"palette:\n  api_key: %{CANARY}\n", KEY),
        (f"palette:\n  api_key: '{CANARY}\n", KEY),
        (f"palette: {{api_key {CANARY}}}\n", KEY),
        (f"palette: {{{CANARY}}}\n", KEY),
        (f"palette: {{{CANARY.translate(NO_DIGITS)}}}\n", KEY),
        (f"palette: {{api_key:{CANARY}}}\n", KEY),
        (f"palette:\n  api_key:{CANARY}\n", KEY),
        (f"palette: {{a: 1, ? {CANARY} : 1, ? {CANARY} : 2}}\n", KEY),
        (f"\xff{CANARY}".encode("latin-1"), KEY),
        (palette(timeout=CANARY, burst=CANARY, tls=CANARY), KEY),
        (section("log", level=CANARY), KEY),
        (TARGETS, {"SPECTROCLOUD_APIKEY": CANARY}),
        (TARGETS, {"SPECTROCLOUD_APIKEY": f"{CANARY}\n\n"}),
        (TARGETS, {"SPECTROCLOUD_HOST": f"u:{CANARY}@palette"}),
        (TARGETS, {"PALETTE_EXPORTER_PALETTE__API_KEY": CANARY}),
        (TARGETS, KEY | {"PALETTE_EXPORTER_PALETTE": f'{{"api_key": "{CANARY}"'}),
        (TARGETS, KEY | {"PALETTE_EXPORTER_TARGETS": f'["{CANARY}'}),
        (TARGETS, KEY | {"PALETTE_EXPORTER_PALETTE__KEY": CANARY}),
    ],
)
def test_no_secret_is_ever_shown(
    tmp_path: Path, config: object, environ: Mapping[str, str]
) -> None:
    (tmp_path / "canary").write_text(CANARY)
    (tmp_path / "canaries").write_text(f"{CANARY}\n{CANARY}\n")
    (tmp_path / "latin").write_bytes(f"{CANARY}\xff".encode("latin-1"))
    for text in leaks(config, environ, tmp_path):
        assert CANARY not in text
        assert CANARY.translate(NO_DIGITS) not in text


def test_the_effective_settings_hide_secrets_and_can_be_read_back(home: Home) -> None:
    proxied = palette(api_key=CANARY, proxy_url=f"http://u:{CANARY}@proxy:3128", timeout=90)
    view = yaml.safe_load(home.load(proxied, {}).effective_yaml())
    assert view["palette"]["api_key"] == view["palette"]["proxy_url"] == "<secret>"
    assert view["palette"]["timeout"] == 90
    assert CANARY not in json.dumps(view)
    again = home.load()
    view = yaml.safe_load(again.effective_yaml())
    view["palette"]["api_key"] = "key"
    assert home.load(view, {}) == again


def test_the_debug_mode_of_pydantic_settings_logs_no_secret(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    with caplog.at_level("DEBUG"):
        home.load(palette(api_key=CANARY, proxy_url=f"http://u:{CANARY}@proxy:1"), {})
    assert CANARY not in caplog.text


# The demo


def test_a_demo_looks_at_no_connection_no_credential_and_no_target(home: Home) -> None:
    config = {
        "palette": {"url": 5, "api_key": [], "username": "u", "tls": 5, "proxy_url": 5, "burst": 7},
        "targets": 5,
        "log": {"level": "error"},
    }
    environ = {
        "SPECTROCLOUD_HOST": "a b",
        "SPECTROCLOUD_APIKEY": "a b",
        "PALETTE_EXPORTER_PALETTE__API_KEY": "k",
        "PALETTE_EXPORTER_PALETTE__TLS__CA_FILE": "none",
        "PALETTE_EXPORTER_TARGETS": "{",
    }
    settings = home.load(config, environ, {"palette": {"api_key_file": "none"}}, demo=True)
    assert (settings.refresh.interval, settings.refresh.stale_after) == (5, 60)
    assert (settings.palette.burst, settings.log.level) == (7, "error")
    assert home.refused({"log": {"lvl": 1}}, {}, demo=True)
    demo = settings.with_demo(url="http://127.0.0.1:5", api_key="k")
    assert demo.palette.credential() == Credential(SecretStr("k"))
    assert (demo.palette.url, demo.targets) == ("http://127.0.0.1:5", ())
    assert (demo.palette.burst, demo.refresh) == (7, settings.refresh)


# Targets and discovery


def test_a_target_can_leave_off_only_its_tail(home: Home) -> None:
    uid = {"cluster_uid": "c1"}
    paths = [uid, uid | {"namespace": "n"}, uid | {"namespace": "n", "vm": "v"}]
    loaded = home.load({"targets": paths})
    assert [target.namespace for target in loaded.targets] == ["", "n", "n"]
    gaps = [
        uid | {"vm": "v"},
        uid | {"namespace": "n", "snapshot": "s"},
        uid | {"namespace": "a,b"},
    ]
    assert home.refused({"targets": gaps}) == (
        "targets[0].vm: requires namespace",
        "targets[1].snapshot: requires vm",
        "targets[2].namespace: should have no comma unless snapshot is set",
    )


def test_shorter_targets_that_mean_the_same_are_refused(home: Home) -> None:
    twice = [{"cluster_uid": "c1", "namespace": "n"}, {"cluster_uid": "c1", "namespace": "n"}]
    assert home.refused({"targets": twice})[0].startswith("targets[1]: the same as targets[0]")


def test_one_variable_with_a_key_is_a_set_up_that_works(home: Home) -> None:
    assert load(environ=KEY).discovery.enabled
    assert not load(
        environ=KEY | {"PALETTE_EXPORTER_TARGETS": json.dumps([TARGET])}
    ).discovery.enabled
    with pytest.raises(SettingsError, match="no target"):
        home.load({})
    with pytest.raises(SettingsError, match="no target"):
        load(environ=KEY, flags={"discovery": {"enabled": "false"}})
    assert home.load({"discovery": {"enabled": True}, "targets": []}).discovery.enabled


def test_a_regular_expression_or_an_age_that_makes_no_sense_is_named(home: Home) -> None:
    document = {
        "discovery": {"enabled": True, "clusters": ["prod-("]},
        "objectives": [{"namespace": "*", "max_age": "1d"}, {"max_age": 0}, {"vm": "a"}],
    }
    found = sorted(fault.partition(":")[0] for fault in home.refused(document))
    assert found == [
        "discovery.clusters[0]",
        "objectives[0].namespace",
        "objectives[1].max_age",
        "objectives[2].max_age",
    ]


# Objectives, labels and metrics


def test_every_kind_of_promise_is_read(home: Home) -> None:
    gold = {
        "cluster": ".*-east",
        "namespace": "prod-.*",
        "vm": "db-.*",
        "labels": {"example.com/tier": "gold|"},
        "max_age": "26h",
        "min_snapshots": 3,
        "max_snapshots": 14,
        "max_snapshot_age": "30d",
        "quiesced": True,
        "ignore_volumes": [".*-scratch"],
    }
    exempt = {"namespace": "scratch-.*", "exempt": True}
    first, second = home.load({**TARGETS, "objectives": [gold, exempt]}).objectives
    assert (first.max_age, first.max_snapshot_age) == (26 * 3600, 30 * 86400)
    assert (first.min_snapshots, first.max_snapshots, first.quiesced) == (3, 14, True)
    assert first.ignore_volumes[0].fullmatch("db-scratch")
    assert first.labels["example.com/tier"].fullmatch("")
    assert not first.exempt
    assert second.exempt


@pytest.mark.parametrize(
    ("objective", "fault"),
    [
        ({"vm": "a"}, "max_age: is required, or another promise: exempt, min_snapshots"),
        ({"exempt": False}, "max_age: is required, or another promise"),
        ({"exempt": True, "max_age": "1d"}, "max_age: conflicts with exempt"),
        ({"exempt": True, "quiesced": True}, "quiesced: conflicts with exempt"),
        ({"min_snapshots": 3, "max_snapshots": 2}, "min_snapshots: should be at most max_"),
        ({"min_snapshots": 0}, "min_snapshots: should be at least 1"),
        ({"max_snapshots": True}, "max_snapshots: should be a number"),
        ({"max_snapshot_age": 0}, "max_snapshot_age: should be above 0"),
        ({"max_age": 1, "ignore_volumes": ["("]}, "ignore_volumes[0]: should be a regular exp"),
        ({"max_age": 1, "ignore_volumes": "a"}, "ignore_volumes: should be a list"),
        ({"max_age": 1, "namespace": ""}, "namespace: should not be empty"),
        ({"max_age": 1, "labels": {"a b": "x"}}, "labels.a b: should be the name of a Kubernetes"),
        ({"max_age": 1, "labels": {"tier": 5}}, "labels.tier: should be a string: put it in"),
    ],
)
def test_an_objective_that_promises_nothing_or_too_much_is_refused(
    home: Home, objective: dict[str, object], fault: str
) -> None:
    (found,) = home.refused({**TARGETS, "objectives": [objective]})
    assert found.startswith(f"objectives[0].{fault}")


def test_labels_and_metrics_have_their_own_sections(home: Home) -> None:
    config = {
        **TARGETS,
        "labels": {"owner": "example.com/owner", "vm": ["tier", "app.kubernetes.io/part-of"]},
        "metrics": {"deny": ["palette_vm_.*_condition"], "max_series": 100_000},
    }
    settings = home.load(config)
    assert settings.labels.owner == "example.com/owner"
    assert settings.labels.vm == ("tier", "app.kubernetes.io/part-of")
    assert settings.metrics.deny[0].fullmatch("palette_vm_snapshot_condition")
    assert settings.metrics.max_series == 100_000
    defaults = home.load()
    assert (defaults.labels.owner, defaults.labels.vm) == (None, ())
    assert (defaults.metrics.deny, defaults.metrics.max_series) == ((), 0)


@pytest.mark.parametrize("name", ["", "a b", "/x", "example.com/", "-a", "Example.com/a", "a" * 64])
def test_an_invalid_label_name_is_refused(home: Home, name: str) -> None:
    faults = home.refused(section("labels", owner=name, vm=["tier", name]))
    assert [fault.partition(":")[0] for fault in faults] == ["labels.owner", "labels.vm[1]"]


@pytest.mark.parametrize(
    ("interval", "stale_after"), [("1m", 300), ("10m", 3000), ("61s", 305), ("1s", 300)]
)
def test_stale_after_follows_the_interval(home: Home, interval: str, stale_after: float) -> None:
    assert home.load(section("refresh", interval=interval)).refresh.stale_after == stale_after
    null = section("refresh", interval=interval, stale_after=None)
    assert home.load(null).refresh.stale_after == stale_after


def test_everything_that_is_public_can_be_imported() -> None:
    names: dict[str, object] = {}
    exec("from exporter.settings import *", names)
    assert {"Shard", "Objective", "Settings"} <= names.keys()


# Invalid input


@pytest.mark.parametrize("leaf", list(leaves(Settings)), ids=lambda leaf: ".".join(leaf.place))
def test_every_key_has_a_description(leaf: Leaf) -> None:
    assert leaf.description.endswith(".")


def test_the_example_names_every_key_and_loads_as_it_is() -> None:
    path = Path(__file__).parents[2] / "config.example.yaml"
    settings = load(config_file=path, environ=KEY)
    defaults = load(environ=KEY | {"PALETTE_EXPORTER_TARGETS": json.dumps([TARGET])})
    examples = {"targets": (), "objectives": ()}
    assert settings.model_copy(update=examples) == defaults.model_copy(update=examples)
    for leaf in leaves(Settings):
        assert f"{leaf.place[-1]}:" in path.read_text()


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
names = st.sampled_from([key for leaf in leaves(Settings) for key in leaf.place]) | scalars
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=6
)
OPEN_INPUT = hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@OPEN_INPUT
@given(document=st.dictionaries(names, documents), demo=st.booleans())
def test_any_document_is_settings_or_a_settings_error(
    home: Home, document: object, demo: bool
) -> None:
    found: Settings | tuple[str, ...]
    try:
        found = home.load(yaml.safe_dump(document, allow_unicode=True), demo=demo)
    except SettingsError as error:
        found = error.faults
    assert found


@OPEN_INPUT
@given(st.binary() | st.text("[]{}:-?!&*|>'\"%@ \n\tabc0123456789.<", max_size=40))
def test_any_bytes_are_settings_or_a_settings_error(home: Home, content: str | bytes) -> None:
    found: Settings | tuple[str, ...]
    try:
        found = home.load(content)
    except SettingsError as error:
        found = error.faults
    assert found


@OPEN_INPUT
@given(
    st.dictionaries(
        st.sampled_from([leaf.variable for leaf in leaves(Settings)])
        | st.sampled_from(["SPECTROCLOUD_HOST", "SPECTROCLOUD_APIKEY", "PALETTE_EXPORTER_WEB"])
        | st.text().map(lambda text: f"PALETTE_EXPORTER_{text}"),
        st.text() | documents.map(lambda value: json.dumps(value, default=str, skipkeys=True)),
    )
)
def test_any_environment_is_settings_or_a_settings_error(environ: dict[str, str]) -> None:
    found: Settings | tuple[str, ...]
    try:
        found = load(environ=environ)
    except SettingsError as error:
        found = error.faults
    assert found
