"""The meaning of a probe's query and headers."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.web.probe import (
    LONGEST_NAME,
    PARAMETERS,
    REQUIRED,
    QueryError,
    parse,
    time_limit,
)

Pairs = list[tuple[str, str]]
GOOD = {"cluster_uid": "6540a1", "namespace": "vms", "vm": "db-01"}

odd = st.text(max_size=300) | st.sampled_from(["", ".", "..", "\0", "a,b", "\ud800", "x" * 254])
queries = st.lists(st.tuples(st.sampled_from([*PARAMETERS, "target", "url", ""]), odd), max_size=7)


@given(queries)
@example([*GOOD.items(), ("snapshot", "x" * LONGEST_NAME)])
def test_a_query_is_either_refused_or_harmless(query: Pairs) -> None:
    try:
        found = parse(query)
    except QueryError:
        return
    names = [name for name, _ in query]
    assert set(REQUIRED) <= set(names) <= set(PARAMETERS)
    assert len(set(names)) == len(names)
    for name, value in query:
        assert getattr(found, name) == (value == "true" if name == "debug" else value)
        assert 0 < len(value) <= LONGEST_NAME
        assert value not in (".", "..")
        assert not {*"\0/\\%"} & {*value}
    assert found.snapshot or not {","} & set(found.namespace + found.vm)


@pytest.mark.parametrize("name", ["cluster_uid", "namespace", "vm", "snapshot", "project_uid"])
@pytest.mark.parametrize("value", ["../other", "..\\other", "%2e%2e%2fother", "a/b", "100%"])
def test_no_name_can_be_a_path_to_another_object(name: str, value: str) -> None:
    with pytest.raises(QueryError, match=name):
        parse([*{**GOOD, name: value}.items()])


@given(st.text(max_size=50))
def test_a_refusal_repeats_nothing_of_the_query(value: str) -> None:
    canary = f"c4n4ry{value}"
    for query in ({canary: "x"}, {**GOOD, "project_uid": f"{canary}\n"}):
        with pytest.raises(QueryError) as refused:
            parse(list(query.items()))
        assert "c4n4ry" not in str(refused.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["10"], 9.5),
        (["1"], 0.5),
        (["14.5"], 14.0),
        ([" 10 "], 9.5),
        ([], 9.5),
        (["30", "60"], 9.5),
        ([""], 9.5),
        (["0"], 9.5),
        (["-3"], 9.5),
        (["nan"], 9.5),
        (["inf"], 9.5),
        (["1e3"], 9.5),
        (["1_0"], 9.5),
        (["\u0661"], 9.5),
        (["ten"], 9.5),
        (["0.5"], 0.1),
        (["0.1"], 0.05),
        (["3600"], 119.5),
        (["999999999"], 119.5),
    ],
)
def test_a_probe_takes_half_a_second_less_than_the_scrape(
    headers: list[str], seconds: float
) -> None:
    assert time_limit(headers) == pytest.approx(seconds)


@given(st.lists(st.text(max_size=20) | st.floats().map(str), max_size=2))
def test_whatever_the_header_says_the_limit_is_sane(headers: list[str]) -> None:
    assert 0 < time_limit(headers) <= 119.5


@given(st.floats(1e-6, 200))
def test_a_probe_ends_before_its_scrape(seconds: float) -> None:
    assert time_limit([f"{seconds:.9f}"]) < seconds
