"""Ends function workers when the emulator is gone, however it ended.

AWS ends an execution environment with everything in it. Stock MiniStack 1.5.33
leaves workers running when it exits: on SIGTERM nothing ends them, and on
SIGKILL nothing can. A worker that waits for its next event notices that the
runtime API is gone, but one that is busy runs on.

So a small process of its own reads the workers' ids from a pipe. The pipe
closes when the emulator ends for whatever reason, and then the guard kills the
workers that are left. This works on Linux and macOS and does not depend on
which thread started the worker.

Doc: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


class WorkerGuard:
    """The emulator's end of the pipe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a signal to the emulator's group must not end the guard
            text=True,
        )

    def watch(self, pid):
        self._tell(f"+{pid}\n")

    def forget(self, pid):
        self._tell(f"-{pid}\n")

    def _tell(self, line):
        with self._lock, contextlib.suppress(OSError):  # somebody may have killed the guard
            self._process.stdin.write(line)
            self._process.stdin.flush()


def kill_when_input_ends():
    workers = set()
    for line in sys.stdin:
        pid = int(line[1:])
        (workers.add if line[0] == "+" else workers.discard)(pid)
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    kill_when_input_ends()
