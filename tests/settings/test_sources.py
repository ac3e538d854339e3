"""Values from files, the environment and the host."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from exporter.settings import Settings, SettingsError, load
from exporter.settings.source import command_line
from tests.settings.test_settings import KEY, TARGET, TARGETS, Home, home, palette, section

__all__ = ["home"]

DRESSES = ["{}\n", "{}\r\n", "\ufeff{}", "\ufeff{}\r\n", "  {}\t", " {} \n"]
"""Forms of a value from a Secret, an editor or a shell."""


@pytest.mark.parametrize("dress", DRESSES)
def test_a_line_end_a_bom_and_blanks_around_a_value_do_not_count(home: Home, dress: str) -> None:
    secret = home.file("secret", dress.format("s3cret"))
    login = {"palette": {"password_file": secret, "org": "file"}, **TARGETS}
    environ = {
        "SPECTROCLOUD_HOST": "palette.example",
        "PALETTE_EXPORTER_PALETTE__USERNAME": "svc@example.com",
        "PALETTE_EXPORTER_PALETTE__ORG": "ops",
        "PALETTE_EXPORTER_REFRESH__INTERVAL": "2m",
        "PALETTE_EXPORTER_DISCOVERY__CLUSTERS": '["a"]',
    }
    settings = home.load(login, {name: dress.format(value) for name, value in environ.items()})
    credential = settings.palette.credential()
    assert credential.secret.get_secret_value() == "s3cret"
    assert (credential.username, credential.org) == ("svc@example.com", "ops")
    assert settings.palette.url == "https://palette.example"
    assert settings.refresh.interval == 120
    assert settings.discovery.clusters[0].pattern == "a"
    for keys, given in ((palette(api_key_file=secret), {}), (TARGETS, KEY)):
        given = {name: dress.format("s3cret") for name in given}
        assert home.load(keys, given).palette.credential().secret.get_secret_value() == "s3cret"


def test_a_value_of_nothing_but_blanks_counts_as_not_given(home: Home) -> None:
    environ = {**KEY, "PALETTE_EXPORTER_REFRESH__INTERVAL": " \n", "SPECTROCLOUD_HOST": "\ufeff"}
    assert home.load(TARGETS, environ).refresh.interval == 60


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_a_credential_are_refused_with_a_hint(home: Home, quote: str) -> None:
    quoted = f"{quote}value{quote}"
    file, password = home.file("key", quoted), home.file("password", quoted)
    cases: tuple[tuple[object, dict[str, str], str], ...] = (
        (TARGETS, {"SPECTROCLOUD_APIKEY": quoted}, "palette.api_key (from SPECTROCLOUD_APIKEY)"),
        (palette(api_key_file=file), {}, "palette.api_key_file"),
        (palette(username=quoted, password_file=password), {}, "palette.username"),
    )
    for config, environ, place in cases:
        (fault,) = home.refused(config, environ)
        assert fault.startswith(f"{place}: is in quotes. Remove them")
    # A password can contain quotes.
    login = home.load(palette(username="u", password_file=password), {})
    assert login.palette.credential().secret.get_secret_value() == quoted


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\x00", "\x1b[31m", "a\u2028b"])
def test_control_characters_are_refused(home: Home, text: str) -> None:
    password = home.file("password", "p")
    for key in ("username", "org"):
        login = {"username": "u", "password_file": password, key: text}
        (fault,) = home.refused(palette(**login), {})
        assert fault.startswith(f"palette.{key}: should have no control characters")


@pytest.mark.parametrize(
    "text",
    [
        "refresh: {interval: 060}",
        "refresh: {interval: 1:00}",
        "refresh: {interval: -0_17}",
        "refresh: {interval: 1:30.5}",
        "objectives: [{max_age: 26:00}]",
        "palette: {burst: 010}",
        "shard: {total: 00}",
    ],
)
def test_numbers_of_base_8_and_60_are_refused(home: Home, text: str) -> None:
    (fault,) = home.refused(text)
    assert fault.startswith("config.file: line 1, column ")
    assert "ambiguous value. Put it in quotes" in fault
    assert home.load({**TARGETS, "refresh": {"interval": 60.5}}).refresh.interval == 60.5


@pytest.mark.parametrize("key", ["namespace", "vm", "snapshot", "project_uid", "cluster_name"])
def test_an_empty_key_of_a_target_never_widens_it(home: Home, key: str) -> None:
    (fault,) = home.refused({"targets": [{"cluster_uid": "c1", key: None}]})
    assert fault == f"targets[0].{key}: is empty. Give it a value, or remove the key"


@pytest.mark.parametrize("key", ["cluster", "namespace", "vm", "labels", "max_age", "exempt"])
def test_an_empty_key_of_an_objective_exempts_no_vm(home: Home, key: str) -> None:
    objective = {"exempt": True, key: None}
    (fault,) = home.refused({**TARGETS, "objectives": [objective]})
    assert fault == f"objectives[0].{key}: is empty. Give it a value, or remove the key"


def test_durations_are_shown_as_they_were_written_and_can_be_read_back(home: Home) -> None:
    objective = {"max_age": "26h", "max_snapshot_age": "60d"}
    config = {
        **section("refresh", interval=90, stale_after="600s"),
        "objectives": [objective],
        "palette": {"timeout": "1.5"},
    }
    settings = home.load(config)
    shown = yaml.safe_load(settings.effective_yaml())
    assert shown["objectives"] == [objective]
    assert shown["targets"] == [TARGET]
    assert (shown["refresh"]["interval"], shown["refresh"]["stale_after"]) == (90, "600s")
    assert shown["palette"]["timeout"] == "1.5"
    assert shown["discovery"]["interval"] == "5m"
    shown["palette"].pop("api_key")
    assert home.load(shown) == settings


# The paths of files


@pytest.mark.parametrize("name", ["missing", "keys/palette-key.txt", "key with blanks"])
def test_the_path_of_a_file_is_in_its_error(home: Home, name: str) -> None:
    place = home.directory / name
    for config, environ in (
        (palette(api_key_file=name), {}),
        (TARGETS, {"PALETTE_EXPORTER_PALETTE__API_KEY_FILE": str(place)}),
        (palette(tls={"ca_file": name}), KEY),
        (section("web", config_file=name), KEY),
    ):
        (fault,) = home.refused(config, environ)
        assert fault.endswith(f": the file cannot be read: No such file or directory: {place}")
    with pytest.raises(SettingsError, match=str(place)):
        load(config_file=place, environ=KEY)


@pytest.mark.parametrize(
    "key", ["k3y9Xq72LmPo", "QUJDREVGR0hJSktMTU5P", 'a"b', "a%b{c}", "k1" * 200]
)
def test_a_key_in_the_place_of_a_path_is_not_shown(home: Home, key: str) -> None:
    for name in (key, f"{key}/{key}"):
        (fault,) = home.refused(palette(api_key_file=name), {})
        assert key not in fault


# Proxies of the environment


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://upper:1"}, "http://lower:1"),
        ({"HTTPS_PROXY": "proxy:3128\n"}, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "palette.example"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": ".example"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "other.example"}, "http://proxy:1"),
    ],
)
def test_the_proxy_variables_count_where_no_proxy_is_set(
    home: Home, environ: dict[str, str], proxy: str | None
) -> None:
    def used(config: Mapping[str, object]) -> str | None:
        found = home.load(config, {**KEY, **environ}).palette.proxy_url
        return found.get_secret_value() if found else None

    assert used(palette(url="https://palette.example")) == proxy
    own = palette(url="https://palette.example", proxy_url="http://own:1")
    assert used(own) == "http://own:1"


def test_a_plain_url_uses_the_plain_proxy(home: Home) -> None:
    environ = {**KEY, "HTTP_PROXY": "http://plain:1", "HTTPS_PROXY": "http://tls:1"}
    for url, proxy in (("http://palette", "http://plain:1"), ("palette.example", "http://tls:1")):
        found = home.load(palette(url=url), environ).palette.proxy_url
        assert found
        assert found.get_secret_value() == proxy


@pytest.mark.parametrize(
    ("url", "without", "direct"),
    [
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://11.1.2.3", "192.168.0.0/16, 10.0.0.0/8", False),
        ("https://[fd00::1]:8443", "fd00::/8", True),
        ("https://127.0.0.1:8443", "", True),
        ("https://localhost", "", True),
        ("https://[::1]", "", True),
        ("https://palette.example:8443", "palette.example", True),
        ("https://notpalette.example", "palette.example", False),
    ],
)
def test_networks_and_this_host_are_read_without_a_proxy(
    home: Home, url: str, without: str, direct: bool
) -> None:
    environ = {**KEY, "HTTPS_PROXY": "http://proxy:1", "NO_PROXY": without}
    assert (home.load(palette(url=url), environ).palette.proxy_url is None) is direct


def test_a_bad_proxy_is_refused_by_the_name_of_its_variable(home: Home) -> None:
    (fault,) = home.refused(TARGETS, {**KEY, "HTTPS_PROXY": "socks5://u:p4ssw0rd@proxy:1"})
    assert fault.startswith("palette.proxy_url (from HTTPS_PROXY): should start with https://")
    assert "p4ssw0rd" not in fault
    assert load(environ={"HTTPS_PROXY": "socks5://proxy:1"}, demo=True).palette.proxy_url is None


# The host


@pytest.mark.parametrize(
    ("pod", "host", "index"),
    [
        ("", "exporter-2", 2),
        ("", "exporter-2.exporter.ns.svc.cluster.local", 2),
        ("palette-3", "worker-1", 3),
        ("anything-0", "anything-7.example.com", 0),
        ("", "worker-3", None),
        ("", "db-1", None),
        ("", "ip-10-0-0-2", None),
        ("", "exporter", None),
        ("exporter", "exporter-2", None),
    ],
)
def test_auto_believes_a_pods_name_and_never_a_nodes(
    pod: str, host: str, index: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    monkeypatch.setenv("POD_NAME", pod)

    def shard() -> int | None:
        flags = {"shard": {"ordinal": "auto", "total": "4"}}
        return load(flags=flags, environ=KEY).shard.index

    if index is not None:
        assert shard() == index
        return
    with pytest.raises(SettingsError, match=r"^shard\.ordinal \(from --shard\.ordinal\): auto"):
        shard()


def test_settings_are_read_again_when_the_working_directory_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    (gone / "config.yaml").write_text(yaml.safe_dump(TARGETS))
    source = command_line(flags={}, config_file=Path("config.yaml"), demo=False, watched=True)
    assert isinstance(source.read(), Settings)
    (gone / "config.yaml").unlink()
    gone.rmdir()
    with pytest.raises(SettingsError, match=r"^config\.file: the file cannot be read"):
        source.read()
    with pytest.raises(SettingsError, match=r"^working directory: cannot be read"):
        command_line(flags={}, config_file=None, demo=True, watched=False)
