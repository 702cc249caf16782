"""The first batches of a process are computed at the same time, on several threads."""

import subprocess
import sys

# Without the first use at the import, one run in three hangs: two threads wait for each other within pybind11.
PROGRAM = """
import sys, threading
sys.modules["openvino_telemetry"] = None
import openvino
used = []
first = openvino.Type.to_dtype
openvino.Type.to_dtype = lambda type: used.append(threading.current_thread()) or first(type)
import service.models.engines.openvino
assert used == [threading.main_thread()], used
sys.setswitchinterval(1e-6)
together = threading.Barrier(4)
threads = [threading.Thread(target=lambda: (together.wait(), openvino.Type.f32.to_dtype())) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_infer_first_at_the_same_time_do_not_wait_for_each_other() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
