"""Puts objects into MiniStack's S3 from another service's thread.

Stock MiniStack 1.5.33 does this on whatever thread it is on and ignores the
answer, so an object for a bucket that does not exist is lost in silence. Here
the request runs where all S3 requests run, on the server's event loop, with
everything that belongs to it (encryption, versions, notifications), and a
failure is an error.
"""

import asyncio

from ministack import app
from ministack.services import s3

import patching


class PutFailed(Exception):
    pass


def install():
    patching.expect(s3, "handle_request", [
        "method", "path", "headers", "body", "query_params", "signed_path", "enforce_bucket_region",
        "internal", "access_point_region", "access_point"])
    if not hasattr(app, "_MAIN_LOOP"):
        raise SystemExit(f"ministack.app has no _MAIN_LOOP, unlike ministack=={patching.PINNED['ministack']}")


def put(bucket, key, body, headers=None):
    headers = {
        "content-type": "application/octet-stream",
        "content-length": str(len(body)),
        "host": "s3.localhost",
        **(headers or {}),
    }
    request = s3.handle_request("PUT", f"/{bucket}/{key}", headers, body, {}, internal=True)
    status, _, answer = asyncio.run_coroutine_threadsafe(request, app._MAIN_LOOP).result(timeout=60)
    if status >= 300:
        raise PutFailed(f"s3://{bucket}/{key}: {status} {answer[:300]!r}")
