"""Load from wrk (Will Glozer), a package of Debian: a client in C that leaves the processors to the server."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
local bodies = {{}}
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local threads = 0
function setup(thread) thread:set("offset", threads * 97); threads = threads + 1 end
local turn = 0
function request()
  turn = turn + 1
  return wrk.format(nil, nil, nil, bodies[(turn + offset) % #bodies + 1])
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("measured %.3f %.3f %.3f %d\\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """Requests in a second, latencies in milliseconds, and how many failed."""

    per_second: float
    p50: float
    p99: float
    failures: int


def load(url: str, bodies: list[str], *, connections: int, seconds: float) -> Load:
    """POST the JSON `bodies` in turn over `connections`. A connection waits for the answer before its next request."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is missing, which makes the load: install it (Debian: apt-get install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "bodies"
        lines.write_text("\n".join(bodies) + "\n", encoding="utf-8")
        script = Path(folder) / "script.lua"
        script.write_text(_SCRIPT.format(bodies=lines), encoding="utf-8")
        threads = 2 if connections > 1 else 1
        run = subprocess.run(
            ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "60s", "-s", script, url],
            capture_output=True,
            text=True,
            check=True,
        )
    measured = re.search(r"measured (\S+) (\S+) (\S+) (\d+)", run.stdout)
    if measured is None:
        raise RuntimeError(f"wrk did not print what it measured: {run.stdout} {run.stderr}")
    per_second, p50, p99 = map(float, measured.groups()[:3])
    return Load(per_second, p50, p99, int(measured[4]))
