"""Accept and Accept-Encoding: examples of headers, and properties."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.negotiation import MOST_MEMBERS, preferences, wants_gzip, wants_openmetrics

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
TEXT = "text/plain;version=0.0.4"

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
    f"q=0.7,{PROMETHEUS_3}"
)
TEXT_PROTOCOL_ONLY = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.5"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        (PROTOBUF_FIRST, True),
        (TEXT_PROTOCOL_ONLY, False),
        (BROWSER, False),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/*", True),
        ("application/json", False),
        ("application/openmetrics-text", True),
        (OPENMETRICS, True),
        ('application/openmetrics-text; version="1.0.0"; charset=utf-8', True),
        ("APPLICATION/OpenMetrics-Text;Version=1.0.0;Q=1", True),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;version=2.0.0, */*;q=0.1", False),
        (f"{OPENMETRICS}, {TEXT}", True),
        (f"{TEXT}, {OPENMETRICS}", False),
        (f"{TEXT};q=0.5, {OPENMETRICS};q=0.6", True),
        (f"{TEXT};q=0.6, {OPENMETRICS};q=0.5", False),
        (f"{OPENMETRICS};q=0", False),
        (f"{OPENMETRICS};q=0, */*", False),
        (f"{OPENMETRICS};q=0, {TEXT};q=0", False),
        (f"{TEXT};q=0, */*;q=0.1", True),
        (f"{OPENMETRICS}, */*", True),
        (f"*/*, {OPENMETRICS}", True),
        (f"{OPENMETRICS};q=0.5, */*;q=0.9", False),
        (f"{OPENMETRICS};q=0.5, text/*;q=0.9", False),
        (f"application/*;q=0.9, {TEXT};q=0.8", True),
        (f"application/*;q=0.9, {OPENMETRICS};q=0.1, {TEXT};q=0.5", False),
        (f"{OPENMETRICS};q=nonsense, {TEXT};q=0.1", False),
        (f"{OPENMETRICS};q=1.1, {TEXT};q=0.1", False),
        (f"{OPENMETRICS};q=-1, {TEXT};q=0.1", False),
        (f"{OPENMETRICS};q=nan, {TEXT};q=0.1", False),
        (f"{OPENMETRICS};q=, {TEXT};q=0.1", False),
        (f",,{OPENMETRICS};;q=1,", True),
        (";q=1", False),
        ("\x00=;=,=", False),
    ],
)
def test_the_format_is_the_one_more_welcome_and_text_in_doubt(
    accept: str, openmetrics: bool
) -> None:
    assert wants_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("accept_encoding", "gzip"),
    [
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("gzip;q=0.001", True),
        ("gzip;q=1.0, identity;q=0.5, *;q=0", True),
        ("gzip, identity;q=0", True),
        ("identity;q=0, *", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("identity;q=0", False),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *;q=1", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity;q=0.9", False),
        ("gzip;q=nonsense", False),
        ("xgzip", False),
    ],
)
def test_gzip_is_used_where_it_is_welcome(accept_encoding: str, gzip: bool) -> None:
    assert wants_gzip(accept_encoding) is gzip


thousandths = st.integers(0, 1000)
others = st.lists(
    st.sampled_from(["text/html", "image/*;q=0.3", "application/json;q=0.9", "*/*;q=0", ""]),
    max_size=4,
)


def member(media_type: str, quality: int) -> str:
    return f"{media_type};q={quality / 1000:.3f}"


@given(thousandths, thousandths, others, st.randoms(use_true_random=False))
def test_of_two_qualities_the_higher_wins_wherever_it_stands(
    openmetrics: int, text: int, more: Sequence[str], random: st.DataObject
) -> None:
    members = [member(OPENMETRICS, openmetrics), member(TEXT, text), *more]
    random.shuffle(members)  # type: ignore[attr-defined]
    wanted = wants_openmetrics(", ".join(members))
    if openmetrics != text:
        assert wanted is (openmetrics > text)
    elif text == 0:
        assert wanted is False
    else:
        first = min(members.index(member(OPENMETRICS, text)), members.index(member(TEXT, text)))
        assert wanted is members[first].startswith(OPENMETRICS)


@given(thousandths, thousandths)
def test_gzip_is_used_unless_plain_is_more_welcome(gzip: int, identity: int) -> None:
    header = f"{member('identity', identity)},{member('gzip', gzip)}"
    assert wants_gzip(header) is (gzip > 0 and gzip >= identity)


@given(st.text() | st.text(alphabet='*/;,=q."01 aegip-x'))
def test_any_header_gets_an_answer(header: str) -> None:
    assert wants_openmetrics(header) in (True, False)
    assert wants_gzip(header) in (True, False)


@given(st.lists(st.sampled_from([*PROMETHEUS_3.split(","), "*/*", f"{TEXT};q=0.7"]), min_size=1))
def test_spaces_and_capitals_mean_nothing(members: Sequence[str]) -> None:
    plain = ",".join(members)
    spaced = " , ".join(member.replace(";", " ;\t").upper() for member in members)
    assert wants_openmetrics(spaced) is wants_openmetrics(plain)


def test_only_so_many_members_are_read() -> None:
    others = "a/b," * (MOST_MEMBERS - 1)
    assert wants_openmetrics(others + OPENMETRICS)
    assert not wants_openmetrics(others + "a/b," + OPENMETRICS)
    assert len(list(preferences("a," * 100_000))) == MOST_MEMBERS
