"""The child process: llama.cpp's own server with one model, for as long as its parent lives.

Run as a script, `server.py MODEL_FILE NAME THREADS BATCH_THREADS`. It writes one line to stdout
once it serves, its URL, and ends when its stdin does: the parent holds the other end of that
pipe, so even a parent that was killed takes its child along.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import threading

import xllamacpp

CONTEXT_TOKENS = 8192
SLOTS = 2
MAX_REPLY_TOKENS = 4096
PROMPT_CACHE_MIB = 256
PROMPT_BATCH_TOKENS = 64
# Once a reply's last REPEATED_TOKENS stand earlier in prompt or reply, up to GUESSED_TOKENS that
# followed there are checked at once (bench/copying.py). All slots' guesses, and a token of each
# slot's own, must fit into one batch: else llama.cpp ends its process.
REPEATED_TOKENS = 12
GUESSED_TOKENS = PROMPT_BATCH_TOKENS // SLOTS - 1
READ_TIMEOUT_S = 900


def end_with_parent() -> None:
    """End this process as soon as stdin closes, also while llama.cpp holds the interpreter."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    # Loading a model holds the interpreter's lock for seconds, so the thread above would be
    # late. SIGIO on the pipe, whose default action ends the process, is not.
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(0, fcntl.F_GETFL)
        fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC)


def serve(
    path: str, name: str, threads: int, batch_threads: int, *, guess: bool = True
) -> xllamacpp.Server:
    """Load the model and serve it on a free loopback port, for as long as the result lives.

    `guess` writes faster what a reply repeats from its prompt or from itself. Each guessed token is
    checked against the model's own, so replies stay what they are but for rounding.
    """
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = SLOTS
    params.kv_unified = True
    params.kv_unified_per_slot = CONTEXT_TOKENS
    params.n_predict = MAX_REPLY_TOKENS
    # Waiting threads sleep (poll 0): spinning ones stop dead when anything else runs here.
    for cpu, count in ((params.cpuparams, threads), (params.cpuparams_batch, batch_threads)):
        cpu.n_threads = count
        cpu.poll = 0
    # A client that left is noticed between two batches: small ones (no slower, measured) let a
    # cancelled call end within about a second, also while it still reads a long prompt.
    params.n_batch = params.n_ubatch = PROMPT_BATCH_TOKENS
    if guess:
        kinds = xllamacpp.common_speculative_type
        params.speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        params.speculative.ngram_simple.size_n = REPEATED_TOKENS
        params.speculative.ngram_simple.size_m = GUESSED_TOKENS
    params.cache_prompt = True
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.timeout_read = params.timeout_write = READ_TIMEOUT_S
    # Nothing but the API, and no web page of another origin may read its answers.
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = "http://127.0.0.1"
    params.cors_credentials = False
    params.verbosity = 1
    return xllamacpp.Server(params)


def main(arguments: list[str]) -> None:
    """Serve until stdin ends."""
    end_with_parent()
    answer = os.dup(1)
    os.dup2(2, 1)  # llama.cpp may print; stdout carries the URL and nothing else
    path, name, threads, batch_threads = arguments
    server = serve(path, name, int(threads), int(batch_threads))
    os.write(answer, f"{server.listening_address}\n".encode())
    os.close(answer)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
