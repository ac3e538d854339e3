"""Single values: times in servers' formats, and invalid times."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.palette import wire

NEVER_UNSET = st.datetimes(datetime(1971, 1, 2), datetime(9998, 1, 1))


def parse_time(text: str) -> float | None:
    """Return what a snapshot's creation time is read as; raises ValueError if it is unreadable."""
    faults: list[wire.Fault] = []
    document = {"metadata": {"name": "a"}, "status": {"creationTime": text}}
    body = json.dumps({"metadata": {}, "items": [document]}).encode()
    (snapshot,) = wire.snapshot_page(body, faults.append).items
    if faults:
        assert [fault.field for fault in faults] == ["status.creationTime"]
        assert snapshot.creation_time is None
        raise ValueError(faults[0].problem)
    return snapshot.creation_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-20T02:00:14Z", 1795140014.0),
        ("2026-11-20t02:00:14z", 1795140014.0),
        ("2026-11-20T02:00:14.5Z", 1795140014.5),
        ("2026-11-20T02:00:14.000000000Z", 1795140014.0),
        ("2026-11-20T02:00:14.25000000000000000000000000000000Z", 1795140014.25),
        ("2026-11-20T07:30:14+05:30", 1795140014.0),
        ("2026-11-19T18:00:14-08:00", 1795140014.0),
        ("2026-11-20T02:00:14-00:00", 1795140014.0),
        ("2026-11-20 02:00:14Z", 1795140014.0),
    ],
)
def test_a_time_is_read_however_rfc_3339_writes_it(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000Z",
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1970-12-31T23:59:59Z",
        "1971-01-01T00:00:00+05:00",
    ],
)
def test_a_time_up_to_1970_was_never_set(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-11-20",
        "2026-11-20T02:00:14",
        "2026-11-20 02:00:14 +0000 UTC",
        "2026-11-20T02:00Z",
        "2026-13-20T02:00:14Z",
        "2026-W47-5T02:00:14Z",
        "2026-02-30T02:00:14Z",
        "2026-11-20T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-11-20T02:00:14+24:00",
        "2026-11-20T02:00:14+05:60",
        "2026-11-20T02:00:14.Z",
        "2026-11-20T02:00:14Z\n",
        "\u0662026-11-20T02:00:14Z",
        "1795140014",
    ],
)
def test_an_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


@given(NEVER_UNSET, st.integers(-23 * 60, 23 * 60))
def test_every_offset_gives_the_same_instant(moment: datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    told = parse_time(zoned.isoformat())
    assert told == pytest.approx(zoned.astimezone(UTC).timestamp(), abs=1e-6)


@given(st.text() | st.datetimes().map(datetime.isoformat).map("{}Z".format))
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    try:
        seconds = parse_time(text)
    except ValueError:
        return
    assert seconds is None or seconds >= 31_536_000
