"""The sides of queries: their shares, what connects them, and that they do not change."""

from hypothesis import given
from hypothesis import strategies as st

from service.corpus.judgements import Judgement, Side
from service.corpus.sides import Nodes, assign, nodes_of, query_node

queries = st.sampled_from([f"q{n}" for n in range(8)])
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
    sides = assign(list(map(placed, said)), {})
    trains = sum(sides[query_node(one.query)] == "train" for one in said)
    assert 0.67 < trains / len(said) < 0.73


def test_rephrasings_are_one_query() -> None:
    assert len({query_node(query) for query in ("How do I count?", "how do I  count", "Do I count, how?")}) == 1
    assert query_node("how do I count") != query_node("how do they count")
    assert query_node("???") != query_node("!!!")
    assert query_node("数える") == query_node("数える\uff1f")


@given(st.lists(judgements, max_size=6))
def test_no_query_of_judge_shares_a_node_with_one_that_trains(batches: list[list[Judgement]]) -> None:
    known: dict[bytes, Side] = {}
    said: list[tuple[Judgement, Nodes]] = []
    for batch in batches:
        new = list(map(placed, batch))
        changes = assign(new, known)
        for node, side in changes.items():
            assert (known.get(node), side) in {(None, "train"), (None, "judge"), ("train", "judge")}
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
