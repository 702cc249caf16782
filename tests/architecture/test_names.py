"""Former names do not come back, and names on the disk stand in one file."""

import ast
from collections.abc import Iterator
from pathlib import Path

from service.settings.data_folder import DataFolder
from tests.architecture.source import files

# A former name, and the one that took its place.
FORMER = {
    "Core": "Parts",
    "unfollow": "following",
    "Startup": "Restore",
    "Reached": "Observer",
    "reached": "Observer.step",
    "unwatched": "Observer.step",
    "to_its_end": "run_to_completion",
    "apart": "on_tokenizer_thread",
    "require_room": "require_capacity",
    "Encoders": "EncoderFactory",
    "Encoder": "DenseEncoder",
    "Share": "Cores",
    "least_cosine": "min_agreement",
    "at_once": "inline",
    "mostly_at_lowest_priority": "idle_priority_session",
    "around": "by_length",
    "first": "in_order",
    "ailment": "failure",
    "Asked": "SearchSpec",
    "Ranked": "Ranking",
    "Part": "Component",
    "Found": "SearchResult",
    "standing": "ranks",
    "versions": "fetch",
    "having": "meeting",
    "numbers": "seqs_of",
    "Indexed": "IndexedValue",
    "Compared": "Comparison",
    "offer": "observe",
    "watching": "shadowing",
    "Judging": "Judge",
    "Judged": "JudgeReport",
    "written": "writable",
    "Kept": "Cache",
    "kept": "cache",
    "settle": "share_vectors",
    "held": "vectors_of",
    "flat": "exact_index",
    "reach": "graph_repair",
    "connect": "repair",
    "cut_off": "unreachable",
    "_Links": "_Adjacency",
    "Distinct": "Duplicates",
    "Graphs": "GraphCache",
    "deserted": "is_empty",
    "high": "complete_to",
    "record_deaths": "deletes_recorded",
    "forget_deaths": "deletes_recorded",
    "_doomed": "_purge_next",
    "due": "_purge_now",
    "Catalogue": "Registry",
    "_kept": "_copies",
    "Allowances": "RateLimits",
    "begin": "charge_request",
    "spend": "charge_tokens",
    "Trusted": "Signers",
    "KeyUnusable": "SigningKeyError",
    "look": "reload",
    "KeyringUnusable": "KeyFileError",
    "HangUp": "CancelOnDisconnect",
    "HANG_UPS": "ON_DISCONNECT",
    "Protected": "SecurityHeaders",
    "OwnPages": "LocalOriginOnly",
    "Noted": "StatusRecorder",
    "News": "EventSource",
    "answer": "json_answer",
    "Form": "ErrorForm",
    "OURS": "INSTAR",
    "Described": "DocumentedApp",
}
# Schemas of the OpenAPI document keep their names, which clients are generated from.
IN_THE_CONTRACT = {"Compared", "Judged", "Noted"}


def defined(path: str, tree: ast.Module) -> Iterator[str]:
    """Names of the module, its classes and functions, and its constants."""
    yield Path(path).stem
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_former_names_do_not_come_back() -> None:
    names = {name for path, tree in files("service").items() for name in defined(path, tree)}
    assert not names & FORMER.keys() - IN_THE_CONTRACT


def test_names_in_the_data_folder_stand_in_one_file() -> None:
    folder = DataFolder(Path())
    names = {getattr(folder, name).name for name, member in vars(DataFolder).items() if isinstance(member, property)}
    assert "corpus.db" in names
    for path, tree in files("service").items():
        if path != "service/settings/data_folder.py":
            joined = (node.right for node in ast.walk(tree) if isinstance(node, ast.BinOp))
            assert not {right.value for right in joined if isinstance(right, ast.Constant)} & names, path
