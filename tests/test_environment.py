"""Libraries read the environment when they are loaded, so the service says first what it wants there."""

import json
import os
import subprocess
import sys

from service.environment import WANTED, prepare


def _printed(program: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in WANTED}
    run = subprocess.run([sys.executable, "-c", program], env=inherited, capture_output=True, text=True, check=True)
    return run.stdout


def test_no_library_that_computes_is_loaded_before() -> None:
    loaded = json.loads(_printed("import json, sys, service.__main__; print(json.dumps(list(sys.modules)))"))
    assert "service.environment" in loaded
    assert not {"numpy", "torch", "faiss"} & set(loaded)


def test_numpy_multiplies_on_one_thread() -> None:
    program = (
        "import os; from service.environment import prepare\n"
        "{}\n"
        "import numpy, threadpoolctl\n"
        "print(*(each['num_threads'] for each in threadpoolctl.threadpool_info() if 'numpy' in each['filepath']))"
    )
    assert _printed(program.format("prepare(os.environ)")) == "1\n"
    if (os.cpu_count() or 1) > 1:
        assert _printed(program.format("")) != "1\n"


def test_what_somebody_else_wants_stays() -> None:
    environment = {"OPENBLAS_NUM_THREADS": "4", "HOME": "/root"}
    prepare(environment)
    assert environment == {**WANTED, "OPENBLAS_NUM_THREADS": "4", "HOME": "/root"}
