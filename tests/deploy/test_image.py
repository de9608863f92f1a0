"""The Dockerfile: its steps succeed, and what it starts serves API, pages and component, with traces."""

import json
import shlex
from pathlib import Path

import pytest

from tests.deploy.image import build

LOOK = """
import json, subprocess, sys, time, urllib.request

command, health_check, paths = json.loads(sys.argv[1])
server = subprocess.Popen(command)
while subprocess.run(health_check, stderr=subprocess.DEVNULL).returncode:
    if server.poll() is not None:
        sys.exit(f"the server has ended with {server.returncode}")
    time.sleep(0.2)
found = {}
for path in paths:
    with urllib.request.urlopen("http://127.0.0.1:8000" + path) as response:
        found[path] = [response.status, len(response.read())]
server.terminate()
print(json.dumps([found, server.wait()]))
"""
PATHS = ["/", "/docs", "/client/frontrow-seats.js", "/api/v1/movies/", "/healthz"]


# Two environments are installed without a cache, and the pages are built.
@pytest.mark.timeout(2400)
def test_the_image_serves_api_pages_and_client(tmp_path: Path) -> None:
    image = build(tmp_path)
    arguments = json.dumps([image.command, image.health_check, PATHS])
    # Nothing listens there: the server does not wait for its collector.
    traces = "FRONTROW_TRACES_URL=http://127.0.0.1:4318"
    printed = image.run(shlex.join(["env", traces, "python", "-c", LOOK, arguments]), user=image.user)
    found, exit_status = json.loads(printed.splitlines()[-1])
    assert {path: status for path, (status, _) in found.items()} == dict.fromkeys(PATHS, 200)
    assert found["/client/frontrow-seats.js"][1] > 10_000
    assert exit_status == 0
