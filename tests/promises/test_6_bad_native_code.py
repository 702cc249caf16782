"""Promise 6: native code that crashes, hangs or eats the memory costs an engine, and the service goes on answering."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.models.configuration import Configuration
from service.models.verdict import Rejection, Verdict
from tests.support import checkpoints, doomed
from tests.support.mortal import ALWAYS, Mortal
from tests.support.server import Server

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")]
DOCUMENTS = {f"d{n}": f"document {n} about the weather in town {n}" for n in range(20)}


class Doomed(Mortal):
    """A service whose trials meet their doom: of checkpoints of one content, `c0` to `c9`, and of two rerankers."""

    def __init__(self, folder: Path, tiny_checkpoints: Path) -> None:
        super().__init__(folder, MODEL="one", ENGINE="auto", COMPUTE__TRIAL_SECONDS=20)
        self.checkpoints.mkdir()
        (self.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
        self.names = (f"c{number}" for number in range(10))
        for number in range(10):
            (self.checkpoints / f"c{number}").symlink_to(tiny_checkpoints / "two")
        for seed, name in enumerate(("lark", "wren")):
            checkpoints.tiny_reranker(self.checkpoints / name, seed)

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Doomed]:
    """One service for all fates: that it outlives them is the claim."""
    with Doomed(tmp_path_factory.mktemp("doomed"), tiny_checkpoints) as running:
        running.put_documents(DOCUMENTS)
        yield running


@pytest.fixture
def starting(tmp_path: Path, tiny_checkpoints: Path) -> Iterator[Doomed]:
    """A service of a test's own, yet to be started."""
    service = Doomed(tmp_path, tiny_checkpoints)
    yield service
    if service.process.poll() is None:
        service.stop()


@contextmanager
def searching(service: Server, clients: int = 8) -> Iterator[list[Any]]:
    """Within the block so many clients search; the answers that are no success."""
    failures: list[Any] = []
    over = threading.Event()

    def search() -> None:
        while not over.is_set():
            answer = service.client.post("/search", json={"query": "weather in town 7", "k": 3})
            if answer.status_code != 200 or len(answer.json()["results"]) != 3:
                failures.append(answer)
            time.sleep(0.25)

    threads = [threading.Thread(target=search) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("fate", "step", "times", "reason"),
    [
        ("SIGFPE", "trial.compile", ALWAYS, "it died of SIGFPE"),
        ("SIGSEGV", "trial.compile", 1, "it died of SIGSEGV"),
        ("SIGKILL", "trial.convert", 1, "it was killed, as the kernel does when memory runs out"),
        ("hang", "trial.compare", 1, "it took more than 20 seconds"),
        ("bloat", "trial.convert", 1, "MiB of memory"),
        ("exception", "trial.compare", 1, "ZeroDivisionError: an error of a kind that nobody has listed"),
        (doomed.HALF_WRITTEN, doomed.HALF_WRITTEN, 1, "it ended with exit code 3"),
    ],
)
def test_a_trial_that_dies_costs_an_engine_and_no_search_fails(
    service: Doomed, fate: str, step: str, times: int, reason: str
) -> None:
    service.doom(fate, step, times)
    pid = service.process.pid
    with searching(service) as failures:
        job = service.reload(next(service.names))
    assert job["state"] == "done", job
    assert not failures
    assert service.process.pid == pid
    assert service.process.poll() is None
    assert service.met >= 1
    engine = service.get("/info")["engine"]
    assert engine == "torch fp32" if times == ALWAYS else engine.startswith("openvino")
    warning, unjudged = job["warnings"]
    assert "there are no judgements" in unjudged
    assert f"is computed by {engine} because OpenVINO in sequences " in warning
    assert reason in warning
    assert len([line for line in service.output if warning in line]) == 1
    assert not list((service.data / "engines").glob(".incoming-*"))
    assert len(service.search("weather", k=3)) == 3


def test_where_several_streams_crash_one_is_tried(service: Doomed) -> None:
    service.doom("SIGFPE", "trial.compile", times=1)
    job = service.reload(next(service.names))
    assert job["warnings"][0].endswith("because OpenVINO in sequences failed (it died of SIGFPE)")
    # On several streams, on one, and once more in int8, which may be faster.
    assert service.met == 3


def test_a_checkpoint_that_torch_dies_of_is_refused(service: Doomed) -> None:
    before = service.state()
    service.doom("SIGSEGV", "trial.torch")
    with searching(service) as failures:
        job = service.reload(next(service.names))
    assert job["state"] == "refused"
    assert "torch in fp32 was tried in a process of its own, and it died of SIGSEGV" in job["reason"]
    assert not failures
    assert service.state() == before


def test_a_reranker_whose_native_code_crashes_costs_an_engine_or_is_refused(service: Doomed) -> None:
    pid = service.process.pid
    service.doom("SIGFPE", "trial.compile", times=1)
    job = service.reload_reranker("lark")
    assert job["state"] == "done", job
    assert "it died of SIGFPE" in job["warnings"][0]
    before = service.state()
    assert before["info"]["reranker"]["model"] == job["checkpoint"]
    service.doom("SIGSEGV", "trial.torch")
    with searching(service, clients=2) as failures:
        job = service.reload_reranker("wren")
    assert job["state"] == "refused"
    assert "torch in fp32 was tried in a process of its own, and it died of SIGSEGV" in job["reason"]
    assert not failures
    assert service.state() == before
    assert service.process.pid == pid
    assert service.post("/rerank", {"query": "weather", "texts": ["rain", "sun"]})


def test_a_reload_that_is_cancelled_does_not_wait_for_its_trial(service: Doomed) -> None:
    name = next(service.names)
    service.doom("hang", "trial.convert")
    job = service.post("/admin/reload", {"model": name})["id"]
    service.wait_for_doom()
    # One for trials, and one for derivations.
    server, *_ = psutil.Process(service.process.pid).children()
    assert len(server.children()) == 1
    assert service.client.delete(f"/admin/jobs/{job}").json()["state"] == "cancelled"
    assert not server.children()
    service.path.unlink()
    (unjudged,) = service.reload(name)["warnings"]
    assert "there are no judgements" in unjudged


def test_a_start_survives_what_a_reload_does_and_the_next_tries_nothing_again(starting: Doomed) -> None:
    starting.doom("SIGFPE", "trial.compile")
    starting.start()
    assert starting.get("/info")["engine"] == "torch fp32"
    assert "it died of SIGFPE" in starting.get("/info")["warnings"][0]
    # In sequences and in rows, on several streams and on one.
    assert starting.met == 4
    starting.stop()
    starting.start()
    assert starting.get("/info")["engine"] == "torch fp32"
    assert starting.met == 4


def test_ctrl_c_ends_a_service_in_order_in_the_middle_of_a_trial_and_a_kill_leaves_nothing(starting: Doomed) -> None:
    starting.start()
    starting.doom("hang", "trial.torch")
    starting.post("/admin/reload", {"model": "c0"})
    starting.wait_for_doom()
    for process in [psutil.Process(starting.process.pid), *starting.descendants()]:
        process.send_signal(signal.SIGINT)
    assert starting.process.wait(30) == 0
    starting.doom("hang", "trial.torch")
    starting.start()
    assert [line for line in starting.output if "resuming the reload" in line]
    starting.wait_for_doom()
    descendants = starting.descendants()
    # Three servers, and the child of the trial.
    assert len(descendants) == 4
    starting.kill()
    _, alive = psutil.wait_procs(descendants, timeout=10)
    assert not alive


def test_a_configuration_that_ends_the_service_twice_while_it_is_loaded_is_rejected() -> None:
    configuration = Configuration(engine="openvino", form="sequences")
    verdict = Verdict(configuration=configuration)
    assert verdict.begun().reliable
    doomed_verdict = verdict.begun().begun()
    assert not doomed_verdict.reliable
    assert [each.configuration for each in doomed_verdict.lasting()] == [configuration]
    # torch has nothing to fall back on.
    assert Verdict().begun().begun().reliable


def test_what_a_passing_reason_costs_is_tried_again() -> None:
    rejection = Rejection(configuration=Configuration(engine="openvino"), reason="no memory", passing=True)
    verdict = Verdict(rejections=(rejection,))
    assert not verdict.reliable
    assert verdict.lasting() == ()
