"""Starts an emulator for the tests, and makes what they deploy into it.

EMULATOR=stock starts MiniStack and moto as they come, to see that a test fails
without what the launchers restore.
"""

import contextlib
import io
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
import zipfile

import boto3
from botocore.config import Config

LAUNCHERS = pathlib.Path(__file__).resolve().parent.parent
FUNCTION = pathlib.Path(__file__).resolve().parent / "function.py"
STOCK = os.environ.get("EMULATOR") == "stock"
ACCOUNT, REGION = "123456789012", "eu-west-1"


class Emulator:
    """A running emulator with folders of its own."""

    def __init__(self, name, **environment):
        self.folder = tempfile.mkdtemp(prefix="emulator-")
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(os.path.join(self.folder, "log"), "wb")
        names = "HOME", "TMPDIR", "STATE_DIR", "S3_DATA_DIR"
        folders = {name: os.path.join(self.folder, name.lower()) for name in names}
        for folder in folders.values():
            os.mkdir(folder)
        self.process = subprocess.Popen(
            _command(name, self.port), stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            env={
                "PATH": os.environ["PATH"],
                "GATEWAY_PORT": str(self.port),
                "BIND_HOST": "127.0.0.1",
                "MINISTACK_HOST": "127.0.0.1",
                "MINISTACK_ACCOUNT_ID": ACCOUNT,
                "MINISTACK_REGION": REGION,
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "LOG_LEVEL": "WARNING",
                **folders,
                **environment,
            })
        self._wait_until_up()

    def _wait_until_up(self):
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the emulator did not start:\n{self.output()}")
            time.sleep(0.1)

    def output(self):
        return pathlib.Path(self.log.name).read_text()

    def client(self, service, region=REGION):
        return boto3.client(
            service, endpoint_url=self.url, region_name=region, aws_access_key_id="test", aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def remove(self):
        self.stop()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _command(name, port):
    if name == "ministack":
        return [sys.executable, "-m", "ministack"] if STOCK else [sys.executable, LAUNCHERS / "ministack_launcher.py"]
    stock = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    return stock if STOCK else [sys.executable, LAUNCHERS / "moto_launcher.py", "--port", str(port)]


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(condition, timeout=10):
    """The first true value of condition, or the last one after timeout seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def function_zip():
    """A deployment package whose bootstrap is function.py, run by this Python."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        archive.writestr(bootstrap, f"#!{sys.executable} -IS\n{FUNCTION.read_text()}")
    return package.getvalue()


def create_function(client, mode="record", timeout=5, **settings):
    """Deploy function.py and return its name."""
    name = unique("function")
    variables = {"MODE": mode, **settings.pop("variables", {})}
    client.create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=f"arn:aws:iam::{ACCOUNT}:role/function",
        Code={"ZipFile": function_zip()}, Timeout=timeout, Environment={"Variables": variables}, **settings)
    eventually(lambda: client.get_function_configuration(FunctionName=name)["State"] == "Active")
    return name
