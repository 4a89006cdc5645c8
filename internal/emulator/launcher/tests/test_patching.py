import sys
import types
import unittest

from emulator import LAUNCHERS

sys.path.insert(0, str(LAUNCHERS))
import patching  # noqa: E402


class Patching(unittest.TestCase):
    def setUp(self):
        self.module = types.ModuleType("ministack.services.example")
        self.module.read = lambda stream, limit: "stock"
        self.module.HANDLERS = {"Read": self.module.read}

    def test_a_function_with_the_expected_parameters_is_replaced_and_returned(self):
        stock = patching.replace(self.module, "read", lambda stream, limit: "ours", ["stream", "limit"])
        self.assertEqual((stock(1, 2), self.module.read(1, 2)), ("stock", "ours"))

    def test_other_parameters_stop_the_launcher_and_name_the_pinned_version(self):
        with self.assertRaises(SystemExit) as stopped:
            patching.replace(self.module, "read", print, ["stream"])
        self.assertRegex(
            str(stopped.exception),
            r"ministack\.services\.example\.read takes \(stream, limit\), not \(stream\).*ministack==1\.5\.33")
        self.assertEqual(self.module.read(1, 2), "stock")

    def test_a_missing_function_stops_the_launcher(self):
        with self.assertRaisesRegex(SystemExit, "write does not exist"):
            patching.replace(self.module, "write", print, [])

    def test_a_missing_entry_of_a_dispatch_table_stops_the_launcher(self):
        with self.assertRaisesRegex(SystemExit, "HANDLERS has no entry 'Write'"):
            patching.replace_entry(self.module, "HANDLERS", "Write", print)


if __name__ == "__main__":
    unittest.main()
