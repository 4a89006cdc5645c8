"""Starts MiniStack with the AWS behaviours that it lacks.

Takes MiniStack's own environment variables (GATEWAY_PORT, BIND_HOST,
MINISTACK_ACCOUNT_ID, ...). It listens on the loopback interface only, unless
BIND_HOST says otherwise.
"""

import os

os.environ.setdefault("BIND_HOST", "127.0.0.1")  # MiniStack's own default is every interface
os.environ.setdefault("IOT_MTLS_ENABLED", "0")
os.environ.setdefault("SFTP_ENABLED", "0")

from ministack import app  # noqa: E402  reads the variables above when it is imported

import failure_destination  # noqa: E402
import firehose_delivery  # noqa: E402
import kinesis_mapping  # noqa: E402
import lambda_runtime  # noqa: E402
import object_store  # noqa: E402
import prompt_exit  # noqa: E402
import stream_reader  # noqa: E402
import terraform_drift  # noqa: E402
import terraform_operations  # noqa: E402

RESTORED = (
    object_store,
    stream_reader,
    lambda_runtime,
    prompt_exit,
    kinesis_mapping,
    failure_destination,
    firehose_delivery,
    terraform_drift,
    terraform_operations,
)


def main():
    for behaviour in RESTORED:
        behaviour.install()
    app.main()


if __name__ == "__main__":
    main()
