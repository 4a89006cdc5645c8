"""Starts moto on the loopback interface, for the control planes that MiniStack leaves to it.

AWS has its managed policies from the start; stock moto 5.2.5 has them only when
MOTO_IAM_LOAD_MANAGED_POLICIES asks for it, as it does here. What it forgets of
resources, moto_drift restores.

Doc: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
"""

import argparse
import os

from moto.server import main as serve

import moto_drift


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--port", type=int, default=5000)
    os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    moto_drift.install()
    serve(["-H", "127.0.0.1", "-p", str(arguments.parse_args().port)])


if __name__ == "__main__":
    main()
