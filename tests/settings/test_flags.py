import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.settings import Settings, leaves, load
from exporter.settings.flags import parse

CANARY = "c4n4ry-S3CR3T"


def complaint(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as caught:
        parse(argv)
    assert caught.value.code == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.count("\n") == 1
    return said.err


def test_no_arguments_say_nothing() -> None:
    flags = parse([])
    assert (flags.config_file, flags.config_check, flags.demo, flags.version) == (
        None,
        False,
        False,
        False,
    )
    assert flags.settings == {}


def test_flags_are_nested_as_the_settings_are() -> None:
    own = ["--config.file=c.yaml", "--config.check", "--demo", "--version"]
    scalars = ["--log.level", "debug", "--palette.requests-per-second=5"]
    flags = parse([*own, *scalars, "--palette.tls.insecure-skip-verify"])
    assert flags.config_file == Path("c.yaml")
    assert (flags.config_check, flags.demo, flags.version) == (True, True, True)
    assert flags.settings == {
        "log": {"level": "debug"},
        "palette": {"requests_per_second": "5", "tls": {"insecure_skip_verify": "true"}},
    }


@pytest.mark.parametrize(
    ("argument", "skips"),
    [("", True), ("=true", True), ("=false", False)],
)
def test_a_boolean_flag_can_have_a_value(argument: str, skips: bool) -> None:
    target = dict.fromkeys(("cluster_uid", "namespace", "vm", "snapshot"), "a")
    environ = {"SPECTROCLOUD_APIKEY": "k", "PALETTE_EXPORTER_TARGETS": json.dumps([target])}
    flags = parse([f"--palette.tls.insecure-skip-verify{argument}"])
    loaded = load(flags=flags.settings, environ=environ)
    assert loaded.palette.tls.insecure_skip_verify is skips


SECRETS = {"api_key", "password_file", "proxy_url"}


def test_every_scalar_that_is_no_secret_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for leaf in leaves(Settings):
        has_a_flag = not leaf.is_list and leaf.place[-1] not in SECRETS
        assert (f"  {leaf.flag} " in text) is has_a_flag, leaf.flag


def test_the_help_fits_80_columns_and_shows_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["-h"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) < 80
    assert "--palette.timeout DURATION\n        Timeout of one" in text
    assert "(default: 10s)" in text
    assert "--log.format logfmt|json" in text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--palette.api-key", CANARY], "Use palette.api_key_file or SPECTROCLOUD_APIKEY"),
        ([f"--palette.api-key={CANARY}"], "Use palette.api_key_file or SPECTROCLOUD_APIKEY"),
        ([f"--palette.api_key={CANARY}"], "a secret is never a flag"),
        ([f"--palette.password={CANARY}"], "Use palette.password_file"),
        ([f"--palette.proxy-url=http://{CANARY}"], "Use palette.proxy_url in the configuration"),
        ([f"--palette.api_key_file={CANARY}"], "did you mean --palette.api-key-file?"),
        ([f"--log.levl={CANARY}"], "unknown flag --log.levl; did you mean --log.level?"),
        (["--log.lev", CANARY], "unknown flag --log.lev; did you mean --log.level?"),
        ([CANARY], "unexpected argument (hidden"),
        (["--", CANARY], "unexpected argument (hidden"),
        ([f"-{CANARY}"], "unexpected argument (hidden"),
        ([f"--{CANARY}"], "unexpected argument (hidden"),
        ([f"--demo={CANARY}"], "--demo takes no value"),
        ([f"--report={CANARY}"], "--report should be one of text, json, csv"),
        (["--report", CANARY], "--report should be one of text, json, csv"),
        (["--log.level"], "--log.level needs a value"),
        (["--log.level", "--demo"], "--log.level needs a value"),
    ],
)
def test_an_unknown_argument_is_one_line_without_values(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    line = complaint(capsys, *argv)
    assert message in line
    assert CANARY not in line


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text() | st.sampled_from([leaf.flag for leaf in leaves(Settings)]) | st.just("--demo")
    )
)
def test_any_arguments_are_flags_or_a_clean_exit(
    capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    try:
        parse(argv)
    except SystemExit as stopped:
        assert stopped.code in (0, 2)  # noqa: PT017 — most arguments raise nothing
