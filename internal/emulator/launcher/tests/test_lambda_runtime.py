import contextlib
import json
import os
import signal
import threading
import time
import unittest

from emulator import REGION, Emulator, create_function, eventually


def setUpModule():
    global ministack, functions
    ministack = Emulator("ministack", AWS_PROFILE="developer", HTTPS_PROXY="http://proxy.invalid:3128")
    unittest.addModuleCleanup(ministack.remove)
    functions = ministack.client("lambda")


def invoke(name, event=None, client=None):
    """The error type, or None, and the answer."""
    response = (client or functions).invoke(FunctionName=name, Payload=json.dumps(event or {}))
    return response.get("FunctionError"), json.load(response["Payload"])


class LambdaRuntime(unittest.TestCase):
    def test_a_worker_stays_warm_and_answers_at_once(self):
        name = create_function(functions, "environment")
        first = invoke(name)[1]["pid"]
        started = time.monotonic()
        answers = [invoke(name)[1]["pid"] for _ in range(10)]
        self.assertEqual(answers, [first] * 10)
        self.assertLess(time.monotonic() - started, 0.5)

    def test_a_function_for_either_architecture_runs_as_a_process(self):
        for architecture in ("x86_64", "arm64"):
            with self.subTest(architecture):
                name = create_function(functions, "environment", Architectures=[architecture])
                self.assertIsNone(invoke(name)[0])

    def test_a_function_sees_the_variables_of_aws_and_none_of_the_machine(self):
        name = create_function(functions, "environment", variables={"TABLE": "orders"})
        variables = invoke(name)[1]["variables"]
        self.assertEqual(variables["TABLE"], "orders")
        self.assertEqual(variables["AWS_REGION"], REGION)
        self.assertEqual(variables["AWS_ENDPOINT_URL"], ministack.url)
        self.assertEqual(variables["AWS_LAMBDA_FUNCTION_NAME"], name)
        self.assertEqual(variables["AWS_LAMBDA_LOG_GROUP_NAME"], f"/aws/lambda/{name}")
        self.assertFalse({"AWS_PROFILE", "HTTPS_PROXY", "HOME", "GATEWAY_PORT"} & variables.keys())

    def test_the_lines_of_a_worker_go_to_the_one_log_stream_that_it_is_told(self):
        logs = ministack.client("logs")
        name = create_function(functions, "log")
        for line in ("first line", "second line"):
            invoke(name, {"line": line})
        group = f"/aws/lambda/{name}"
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        self.assertEqual(len(streams), 1)
        self.assertRegex(streams[0]["logStreamName"], r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")
        messages = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        self.assertEqual(
            [message.split()[0] for message in messages],
            ["START", "first", "END", "REPORT", "START", "second", "END", "REPORT"])

    def test_logging_config_sends_the_lines_to_its_log_group(self):
        logs = ministack.client("logs")
        logs.create_log_group(logGroupName="shared")
        name = create_function(functions, "log", LoggingConfig={"LogGroup": "shared", "LogFormat": "JSON"})
        invoke(name, {"line": "for the shared group"})
        messages = [event["message"] for event in logs.filter_log_events(logGroupName="shared")["events"]]
        self.assertIn("for the shared group", messages)

    def test_a_crash_is_an_exit_error_and_its_last_words_are_logged(self):
        name = create_function(functions, "exit")
        kind, answer = invoke(name)
        self.assertEqual((kind, answer["errorType"]), ("Unhandled", "Runtime.ExitError"))
        events = ministack.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        self.assertIn("about to exit", [event["message"] for event in events])

    def test_a_crash_during_initialisation_is_an_exit_error(self):
        kind, answer = invoke(create_function(functions, "exit-at-start"))
        self.assertEqual((kind, answer["errorType"]), ("Unhandled", "Runtime.ExitError"))

    def test_a_call_that_takes_too_long_times_out_and_the_next_one_gets_a_new_worker(self):
        name = create_function(functions, "sleep", timeout=1)
        kind, answer = invoke(name, {"seconds": 30})
        self.assertEqual((kind, answer["errorType"]), ("Unhandled", "Sandbox.Timedout"))
        self.assertIsNone(invoke(name, {"seconds": 0})[0])


class WorkersEnd(unittest.TestCase):
    def test_idle_and_busy_workers_end_when_the_emulator_is_terminated(self):
        self.check(signal.SIGTERM)

    def test_idle_and_busy_workers_end_when_the_emulator_is_killed(self):
        self.check(signal.SIGKILL)

    def check(self, how):
        emulator = Emulator("ministack")
        self.addCleanup(emulator.remove)
        client = emulator.client("lambda")
        idle = create_function(client, "sleep", timeout=60)
        busy = create_function(client, "sleep", timeout=60)
        pids = [invoke(name, {"seconds": 0}, client)[1]["pid"] for name in (idle, busy)]
        threading.Thread(target=call_and_lose, args=(client, busy), daemon=True).start()
        time.sleep(0.3)
        started = time.monotonic()
        emulator.stop(how)
        self.assertLess(time.monotonic() - started, 10)
        ended = eventually(lambda: not any(map(is_running, pids)), timeout=3)
        for pid in filter(is_running, pids):
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(ended, "workers outlived the emulator")


def call_and_lose(client, name):
    with contextlib.suppress(Exception):
        invoke(name, {"seconds": 60}, client)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return True


if __name__ == "__main__":
    unittest.main()
