"""Ends MiniStack at once on SIGTERM and SIGINT, calls that are under way included.

AWS has no counterpart: this is what makes a local AWS easy to stop. Stock
MiniStack 1.5.33 waits for every Lambda call that is under way, up to its
timeout of 15 minutes, and leaves the workers of custom runtimes running.
"""

import asyncio
import signal

import hypercorn.asyncio

import lambda_runtime
import patching


def install():
    global _stock_serve
    _stock_serve = patching.replace(hypercorn.asyncio, "serve", serve, ["app", "config", "shutdown_trigger", "mode"])


async def serve(app, config):
    asked = asyncio.Event()
    for how in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(how, asked.set)

    async def end_workers_first():
        await asked.wait()
        await asyncio.to_thread(lambda_runtime.stop)

    await _stock_serve(app, config, shutdown_trigger=end_workers_first)
