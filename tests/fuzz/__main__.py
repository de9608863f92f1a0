"""`python -m tests.fuzz TARGET --seconds 60`: fuzzes a parser with Atheris, from its kept corpus.

New inputs that reach more of the code are written to `build/fuzz/TARGET`, and so is an input that breaks a
promise; then the exit status is not 0. `--keep` runs no fuzzer, but keeps of all these what reaches most.
"""

import argparse
import sys
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
FOUND = Path("build") / "fuzz"
NAMES = ("head", "chunks", "frames", "deflate", "token", "claims", "cursor", "code", "forwarded", "proxy")
INPUT_BYTES, MEMORY_MEGABYTES, INPUT_SECONDS = 4096, 1024, 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes a parser.")
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=60, help="how long (60)")
    parser.add_argument("--keep", action="store_true", help="keep what reaches more of the code")
    chosen = parser.parse_args()
    kept, found = CORPUS / chosen.target, FOUND / chosen.target
    for folder in (kept, found):
        folder.mkdir(parents=True, exist_ok=True)
    if chosen.keep:
        from tests.fuzz.keeping import keep

        print(f"{keep(chosen.target, kept, found)} inputs are kept in {kept}")
        return
    try:
        import atheris
    except ImportError:
        parser.error("Atheris is missing: run `make fuzzer`")
    with atheris.instrument_imports(include=["api"]):
        from tests.fuzz.targets import TARGETS

    options = [
        *(f"-max_total_time={chosen.seconds}", f"-max_len={INPUT_BYTES}", f"-timeout={INPUT_SECONDS}"),
        *(f"-rss_limit_mb={MEMORY_MEGABYTES}", f"-artifact_prefix={found}/crash-", "-verbosity=0"),
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], str(found), str(kept), *options], TARGETS[chosen.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
