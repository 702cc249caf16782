"""Documents are stored with all of the text that people write, and without what no store takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.document_inputs import check_document
from service.api.schemas.documents import NewDocument
from service.errors import InvalidRequest
from service.settings import Settings

# A text on regular expressions or JSON may name the character by its escape.
TEXTS = st.lists(st.sampled_from(["\0", "\\", "u0000", "\\u0000", "a"]), max_size=6).map("".join)


@given(TEXTS, TEXTS)
def test_metadata_is_refused_for_the_character_nul_and_not_for_its_name(key: str, text: str) -> None:
    new = NewDocument(text="a", metadata={key: [text]})
    if "\0" in key + text:
        with pytest.raises(InvalidRequest, match=r"contains the character U\+0000"):
            check_document(new, "documents[0]", Settings())
    else:
        assert check_document(new, "documents[0]", Settings()).metadata == {key: [text]}
