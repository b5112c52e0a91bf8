"""What every command line of the workflow shares: arguments, logging, progress, exit status."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import TypeVar

from dnalm.errors import UserError

EXIT_FAULT = 2
EXIT_INTERRUPTED = 130
Item = TypeVar("Item")
log = logging.getLogger("dnalm")


def make_parser(docstring: str | None) -> argparse.ArgumentParser:
    """Returns a parser whose help shows the script's docstring and every default."""

    class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
        pass

    return argparse.ArgumentParser(description=docstring, formatter_class=Formatter)


def add_device_argument(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Adds `--device`, which says where models run, and where a step uses several `--devices`."""
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "tpu"),
        default="auto",
        help="where the model runs; auto takes an accelerator where one is seen, else the CPU",
    )
    if several:
        parser.add_argument(
            "--devices",
            default="auto",
            help="how many GPUs to wait for and use; auto: those of CUDA_VISIBLE_DEVICES or Slurm, else one",
        )


def command(main: Callable[[Sequence[str] | None], None]) -> Callable[[Sequence[str] | None], int]:
    """Wraps a script's main: logs to stderr; a user's fault is one line and exit status 2."""

    @wraps(main)
    def wrapped(argv: Sequence[str] | None = None) -> int:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s", force=True)
        try:
            main(argv)
        except UserError as fault:
            print(fault, file=sys.stderr)
            return EXIT_FAULT
        except OSError as fault:
            if fault.errno not in (
                errno.ENOSPC,
                errno.EDQUOT,
                errno.EACCES,
                errno.EROFS,
                errno.EFBIG,
                errno.EPERM,
            ):
                raise
            print(
                UserError(fault.filename or "disk", f"{fault.strerror}", "Free space or change the folder."),
                file=sys.stderr,
            )
            return EXIT_FAULT
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return EXIT_INTERRUPTED
        return 0

    return wrapped


def progress(items: Iterable[Item], what: str, total: int | None = None) -> Iterable[Item]:
    """Shows a bar on a terminal; in a log file one line now and then."""
    from tqdm import tqdm

    terminal = sys.stderr.isatty()
    return tqdm(
        items,
        desc=what,
        total=total,
        file=sys.stderr,
        mininterval=0.2 if terminal else 15,
        ascii=not terminal,
        ncols=None if terminal else 80,
    )
