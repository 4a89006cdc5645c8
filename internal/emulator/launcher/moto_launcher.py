"""Starts moto on the loopback interface, for the control planes that MiniStack leaves to it.

AWS has its managed policies from the start; stock moto 5.2.5 has them only when
MOTO_IAM_LOAD_MANAGED_POLICIES asks for it, as it does here. Nothing else is
restored: for IAM, STS, ECS and EC2 the stock version needs no patch.

Doc: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
"""

import argparse
import os

from moto.server import main as serve


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--port", type=int, default=5000)
    os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    serve(["-H", "127.0.0.1", "-p", str(arguments.parse_args().port)])


if __name__ == "__main__":
    main()
