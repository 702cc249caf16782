"""The sides of queries: their shares, what connects them, and that they do not change."""

from hypothesis import given
from hypothesis import strategies as st

from service.corpus.judgements import Judgement
from service.corpus.sides import Nodes, Standing, assign, nodes_of, query_node

NAMES = [f"q{n}" for n in range(8)]
queries = st.sampled_from(NAMES)
documents = st.sampled_from([f"d{n}" for n in range(6)])
judgements = st.lists(
    st.builds(
        Judgement,
        query=queries,
        document=documents,
        good=st.booleans(),
        source=st.sampled_from(["person", "sent", "click", "generated"]),
        side=st.sampled_from(["train", "judge", None]),
    )
)


def placed(judgement: Judgement) -> tuple[Judgement, Nodes]:
    return judgement, nodes_of(judgement, f"the text of {judgement.document}")


def test_seven_of_ten_queries_train() -> None:
    said = [Judgement(query=f"query {n}", document=f"d{n}", good=True, source="click") for n in range(4000)]
    sides = assign(list(map(placed, said)), {}, {})
    trains = sum(sides[query_node(one.query)] == "train" for one in said)
    assert 0.67 < trains / len(said) < 0.73


def test_rephrasings_are_one_query() -> None:
    assert len({query_node(query) for query in ("How do I count?", "how do I  count", "Do I count, how?")}) == 1
    assert query_node("how do I count") != query_node("how do they count")
    assert query_node("???") != query_node("!!!")
    assert query_node("数える") == query_node("数える\uff1f")


def test_a_query_that_nearly_equals_an_earlier_one_follows_it() -> None:
    first, second = query_node("how do I reset my password"), query_node("how do I reset my pasword")
    for side in ("train", "judge"):
        said = [placed(Judgement(query="how do I reset my pasword", document="d", good=True, source="click"))]
        assert assign(said, {first: side}, {second: [first]})[second] == side


def test_a_query_that_nearly_equals_one_of_each_side_is_on_neither() -> None:
    said = [placed(Judgement(query="q", document="d", good=True, source="click"))]
    known: dict[bytes, Standing] = {b"one": "train", b"other": "judge"}
    sides = assign(said, known, {query_node("q"): [b"one", b"other"]})
    assert sides == {query_node("q"): "neither"}
    assert assign(said, known | sides, {}) == {}


@given(st.lists(judgements, max_size=6), st.sets(st.frozensets(queries, min_size=2, max_size=2)))
def test_no_query_of_judge_is_connected_to_one_that_trains(
    batches: list[list[Judgement]], nearly_equal: set[frozenset[str]]
) -> None:
    known: dict[bytes, Standing] = {}
    said: list[tuple[Judgement, Nodes]] = []
    names: list[str] = []
    for batch in batches:
        new = list(map(placed, batch))
        near = {}
        for name in [one.query for one in batch if one.query not in names]:
            near[query_node(name)] = [query_node(earlier) for earlier in names if {name, earlier} in nearly_equal]
            names.append(name)
        changes = assign(new, known, near)
        for node, side in changes.items():
            assert (known.get(node), side) in {(None, "train"), (None, "judge"), (None, "neither"), ("train", "judge")}
        queries = {nodes.query for _, nodes in said}
        assert not queries & changes.keys()
        known |= changes
        said += new
    nodes_of_queries: dict[bytes, set[bytes]] = {}
    for judgement, nodes in said:
        good = nodes_of_queries.setdefault(nodes.query, set())
        good.update(nodes.good if judgement.good else ())
    judging = {query for query in nodes_of_queries if known[query] == "judge"}
    of_judge = set().union(*(nodes_of_queries[query] for query in judging))
    assert all(known[node] == "judge" for node in of_judge)
    training = {
        query
        for query, good in nodes_of_queries.items()
        if known[query] == "train" and not any(known[node] == "judge" for node in good)
    }
    assert not any(nodes_of_queries[query] & of_judge for query in training)
    trained = {name for name in names if query_node(name) in training}
    judged = {name for name in names if query_node(name) in judging}
    assert not any(pair & trained and pair & judged for pair in nearly_equal)
