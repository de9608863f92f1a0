"""The `frontrow` command; `python -m frontrow` runs it, too."""

import gc


def main() -> None:
    """Import the command line and run it.

    The imports create hundreds of thousands of objects, which are never freed. They take a fifth less time if
    the garbage collector does not examine these objects meanwhile, and later collections skip them.
    """
    gc.disable()
    from frontrow.cli import main as run_command

    gc.freeze()
    gc.enable()
    run_command(prog_name="frontrow")


if __name__ == "__main__":
    main()
