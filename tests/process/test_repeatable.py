"""The balancer knows of every route whether a second answer does no harm."""

import re

from tests.support.haproxy import CONFIGURATION
from tests.support.server import Server

# An event without an id counts as often as it is sent.
SENT_ONCE = {"/feedback"}
# The OpenAPI document leaves out the root, where text-embeddings-inference embeds and ranks.
NOT_DOCUMENTED = {"/"}


def test_every_post_outside_of_administration_is_repeated_or_known_to_be_sent_once(server: Server) -> None:
    operations = server.get("/openapi.json")["paths"].items()
    posts = {path for path, methods in operations if "post" in methods and not path.startswith("/admin")}
    lines = re.findall(r"^\s+acl (?:asks|writes) path (.*)$", CONFIGURATION.read_text(), re.MULTILINE)
    assert len(posts) > 10
    assert {path for line in lines for path in line.split()} == posts - SENT_ONCE | NOT_DOCUMENTED
