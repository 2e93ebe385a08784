"""CodeEvolver: serve the page, carry out one goal in the terminal, or check the set-up."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from core.commands import packages, try_out
from core.errors import AppError
from core.terminal import NOT_PASSED, check, complain, generate

HERE = Path(__file__).resolve().parent


def port(text: str) -> int:
    """A TCP port, 0 for any free one."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not a port: 0 to 65535")
    return number


def arguments(argv: list[str]) -> argparse.Namespace:
    """The parsed command line; exits with status 2 and a message when it can't be used."""
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("--config", type=Path, default=HERE / "config.yaml")
    parser.add_argument("--host", help="address to serve on (default: the config's)")
    parser.add_argument("--port", type=port, help="port to serve on (default: the config's)")
    words = "generate | try | check | packages"
    commands = parser.add_subparsers(dest="command", metavar=words)
    one = commands.add_parser("generate", help="carry out one goal in the terminal")
    one.add_argument("goal")
    one.add_argument("--json", action="store_true", help="print one event per line as JSON")
    one.add_argument(
        "--wait-for-answers",
        action="store_true",
        help="before it ends, wait for your answers about its cases on the run's page",
    )
    run = commands.add_parser("try", help="run the code that a run has written, in the sandbox")
    run.add_argument("run_id", metavar="RUN_ID")
    run.add_argument("--arg", action="append", default=[], help="an argument; may be repeated")
    run.add_argument(
        "--call",
        default="",
        help="print this expression, like 'add(2, 3)', and don't run the program",
    )
    run.add_argument("--stdin", default="", metavar="FILE", help="its input; - for this one's")
    run.add_argument("--out", type=Path, metavar="FOLDER", help="where to write files it leaves")
    for command in (one, run):
        command.add_argument(
            "--file",
            type=Path,
            action="append",
            default=[],
            metavar="PATH",
            help="a file for the code to read; may be repeated",
        )
    look = commands.add_parser("check", help="show config, sandbox and endpoints")
    look.add_argument(
        "--qualify", action="store_true", help="measure the endpoints too, a minute each"
    )
    fetch = commands.add_parser("packages", help="install what sandbox.packages asks for")
    for command in (one, run, look, fetch):
        # SUPPRESS: a --config before the command counts too.
        command.add_argument("--config", type=Path, default=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Do what the command line says; the exit status."""
    args = arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s:%(name)s:%(message)s")
    try:
        if args.command == "generate":
            return generate(
                args.goal,
                args.config,
                as_json=args.json,
                paths=args.file,
                wait_for_answers=args.wait_for_answers,
            )
        if args.command == "check":
            return check(args.config, qualify=args.qualify)
        if args.command == "packages":
            return packages(args.config)
        if args.command == "try":
            return try_out(
                args.run_id,
                args.config,
                arguments=args.arg,
                call=args.call,
                stdin=args.stdin,
                paths=args.file,
                out=args.out,
            )
        from webui.serve import serve

        serve(args.config, args.host, args.port)
    except AppError as error:
        return complain(error.message)
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_PASSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
