"""Restores the execution environment of a `provided.al2023` function.

What AWS does: an environment gets a fixed set of variables and nothing of the
machine it runs on; its lines go to one log stream per environment; a runtime
that exits during initialisation is a Runtime.ExitError, and an error that the
runtime reports itself keeps its type; nothing survives the environment.

Stock MiniStack 1.5.33 has warm workers and a `/next` that blocks, and reports
crashes and timeouts of an invocation as AWS does. What it lacks:

- it hands its whole own environment to the function (the developer's AWS
  profile, proxies, tokens), and AWS_ENDPOINT_URL only if it has one itself;
- it opens a log stream for every invocation, under another name than the
  AWS_LAMBDA_LOG_STREAM_NAME that the function sees;
- it waits 50 ms for log lines after every invocation that wrote none, and
  answers `/next` in two small packets, which costs up to 40 ms more;
- it reports a failed initialisation as Runtime.Unknown;
- it leaves workers running when it ends (see worker_guard).

Docs: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import atexit
import collections
import contextvars
import os
import select
import threading
import time

from ministack.core import lambda_runtime as workers
from ministack.services import cloudwatch_logs, lambda_svc

import patching
from worker_guard import WorkerGuard

LOG_LINES_KEPT = 10_000  # of one invocation, as in stock MiniStack

_stopping = threading.Event()
_log_stream = contextvars.ContextVar("log stream of the environment that ran the last invocation", default=None)


def install():
    for name, parameters in {
        "_spawn": ["self", "init_timeout"],
        "_await_init": ["self", "init_timeout"],
        "_pump_output": ["self", "stream", "log_queue"],
        "_build_handler_class": ["self", "generation", "pending"],
        "invoke": ["self", "event", "request_id", "trace_id", "invoked_function_arn"],
    }.items():
        patching.expect(workers.ProvidedWorker, name, parameters)
    patching.expect(workers.Worker, "_drain_stderr", ["self"])
    patching.expect(workers.Worker, "_drain_stderr_bounded", ["self", "first_line_wait", "idle_confirm", "hard_cap"])
    patching.expect(workers, "reset", [])
    global _guard
    _guard = WorkerGuard()
    patching.replace(workers, "ProvidedWorker", ExecutionEnvironment, ["func_name", "config", "code_zip"])
    patching.replace(lambda_svc, "_provided_worker_env", environment_variables, ["config", "code_dir", "port"])
    global _stock_emit_logs
    _stock_emit_logs = patching.replace(
        lambda_svc, "_emit_lambda_logs", write_logs,
        ["func", "request_id", "log_text", "error", "duration_ms", "log_source"])
    atexit.register(stop)


def stop():
    """End all workers; calls that are under way fail, and no worker starts any more."""
    _stopping.set()
    workers.reset()


def endpoint_url():
    host = os.environ.get("BIND_HOST", "127.0.0.1")
    host = "127.0.0.1" if host == "0.0.0.0" else host
    return f"http://{host}:{os.environ.get('GATEWAY_PORT') or os.environ.get('EDGE_PORT') or 4566}"


def environment_variables(config, code_dir, port):
    """The variables that a custom runtime sees, with this emulator as its AWS."""
    _, region = lambda_svc._account_region_from_function_config(config)
    name = config.get("FunctionName", "unknown")
    logging = config.get("LoggingConfig") or {}
    variables = {"LANG": "en_US.UTF-8", "TZ": ":UTC"}
    variables.update({key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ})
    variables.update(lambda_svc._runtime_env_vars(config))
    variables.update(workers.execution_credentials(config))
    variables.update({
        "LAMBDA_TASK_ROOT": code_dir,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "_HANDLER": config.get("Handler", "bootstrap"),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ENDPOINT_URL": endpoint_url(),
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # or an SDK calls prefix.127.0.0.1
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup") or f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": _log_stream.get() or _new_log_stream_name(config),
    })
    if logging.get("LogFormat") == "JSON":
        variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
    if not variables.get("AWS_SESSION_TOKEN"):
        variables.pop("AWS_SESSION_TOKEN", None)  # the SDKs sign with an empty one
    return variables


def _new_log_stream_name(config):
    day = time.strftime("%Y/%m/%d", time.gmtime())
    return f"{day}/[{config.get('Version', '$LATEST')}]{lambda_svc.new_uuid().replace('-', '')}"


class ExecutionEnvironment(workers.ProvidedWorker):
    """A warm worker whose log lines are complete the moment it has answered."""

    def __init__(self, func_name, config, code_zip):
        super().__init__(func_name, config, code_zip)
        self._output = _Output()
        self._log_stream = _new_log_stream_name(config)

    def _spawn(self, init_timeout=None):
        if _stopping.is_set():
            raise workers.ProvidedRuntimeError("the emulator is stopping", "Runtime.Unknown")
        self._output = _Output()
        self._log_stream = _new_log_stream_name(self.config)
        _log_stream.set(self._log_stream)
        super()._spawn(init_timeout)

    def _pump_output(self, stream, log_queue):
        pid, output = self._proc.pid, self._output
        _guard.watch(pid)
        try:
            output.follow(stream)
        finally:
            _guard.forget(pid)

    def _drain_stderr(self):
        return self._output.take()

    def _drain_stderr_bounded(self, first_line_wait=0.0, idle_confirm=0.0, hard_cap=0.0):
        return self._output.take()

    def _build_handler_class(self, generation, pending):
        handler = super()._build_handler_class(generation, pending)
        handler.disable_nagle_algorithm = True
        handler.wbufsize = -1  # headers and body leave in one packet
        return handler

    def _await_init(self, init_timeout=None):
        try:
            super()._await_init(init_timeout)
        except workers.ProvidedInitTimeout:
            raise
        except RuntimeError as failure:
            reported = self._init_error if isinstance(self._init_error, dict) else {}
            raise workers.ProvidedRuntimeError(
                reported.get("errorMessage") or str(failure),
                reported.get("errorType") or "Runtime.ExitError",
            ) from failure

    def invoke(self, event, request_id, *, trace_id=None, invoked_function_arn=None):
        _log_stream.set(self._log_stream)
        return super().invoke(event, request_id, trace_id=trace_id, invoked_function_arn=invoked_function_arn)


class _Output:
    """What one worker writes to stdout and stderr.

    The pipe is read all the time, so that a function never blocks on it. A
    function writes before it answers, so whoever takes the lines after the
    answer reads the rest of the pipe and has them all, without waiting.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._descriptor = None
        self._lines = collections.deque(maxlen=LOG_LINES_KEPT)
        self._unfinished = b""

    def follow(self, stream):
        descriptor = stream.fileno()
        os.set_blocking(descriptor, False)
        readable = select.poll()
        readable.register(descriptor, select.POLLIN)
        self._descriptor = descriptor
        while self._descriptor is not None:
            readable.poll()
            with self._lock:
                self._read()
        stream.close()

    def take(self):
        with self._lock:
            if self._descriptor is not None:
                self._read()
            if self._unfinished:
                self._append(self._unfinished)
                self._unfinished = b""
            lines = "\n".join(self._lines)
            self._lines.clear()
            return lines

    def _read(self):
        try:
            while chunk := os.read(self._descriptor, 65536):
                *lines, self._unfinished = (self._unfinished + chunk).split(b"\n")
                for line in lines:
                    self._append(line)
            self._descriptor = None  # the worker has ended
        except BlockingIOError:
            pass

    def _append(self, line):
        self._lines.append(line.decode("utf-8", errors="replace").rstrip("\r"))


def write_logs(func, request_id, log_text, error, duration_ms, *, log_source=None):
    """Write the lines of one invocation to its environment's log stream."""
    stream_name = _log_stream.get()
    if stream_name is None:  # not a custom runtime
        _stock_emit_logs(func, request_id, log_text, error, duration_ms, log_source=log_source)
        return
    _log_stream.set(None)
    config = func.get("config") or func
    name, version = config.get("FunctionName"), config.get("Version", "$LATEST")
    group_name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    stream = {"logGroupName": group_name, "logStreamName": stream_name}
    cloudwatch_logs._create_log_group(stream)  # an existing one stays as it is
    cloudwatch_logs._create_log_stream(stream)
    lines = [
        f"START RequestId: {request_id} Version: {version}",
        *log_text.splitlines(),
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tBilled Duration: {duration_ms} ms\t"
        f"Memory Size: {config.get('MemorySize', 128)} MB\t"
        f"Max Memory Used: {lambda_svc._probe_peak_memory_mb(func)} MB",
    ]
    now = int(time.time() * 1000)
    cloudwatch_logs._append_log_events(
        cloudwatch_logs._log_groups[group_name]["streams"][stream_name],
        [{"timestamp": now, "message": line, "ingestionTime": now} for line in lines])
    cloudwatch_logs._fanout_to_subscription_filters(
        group_name, stream_name, [{"timestamp": now, "message": line} for line in lines])
