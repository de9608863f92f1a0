"""A run inside its namespaces: `python -m tests.torture.inside FOLDER`, which `tests.torture` starts.

It ends with the lines `operations: …`, `faults: …`, `verdict: …`, which are also stored as `summary.txt`.
"""

import asyncio
import signal
import sys
import time
import traceback
from pathlib import Path

from tests.torture.caller import open_session
from tests.torture.recorder import Recorder
from tests.torture.run import Run
from tests.torture.schedule import Schedule
from tests.torture.site import Site
from tests.torture.summary import summarise

INTERRUPTED = 130
BROKEN = 3
"""The run itself has an error, so it has shown nothing."""


async def _run(folder: Path) -> int:
    schedule = Schedule.load(folder / "schedule.json")
    clock = time.monotonic() - time.time()
    with Recorder(folder / "history.jsonl") as recorder:
        async with (
            Site(folder, schedule.nodes, schedule.seed) as site,
            open_session() as session,
        ):
            run = Run(schedule, folder, site, recorder, session)
            try:
                await run()
            except Exception:
                (folder / "error.txt").write_text(traceback.format_exc())
                print(f"the run could not be finished; see {folder / 'error.txt'}", flush=True)
        return summarise(folder, run, recorder, clock)


async def _main(folder: Path) -> int:
    task = asyncio.ensure_future(_run(folder))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        print(f"interrupted; what had happened is in {folder}", flush=True)
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return BROKEN


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(Path(sys.argv[1]))))
