"""How the interpreter is set up for short pauses of the event loop, and for little memory."""

import asyncio
import ctypes
import gc
import sys


def shorten_pauses() -> None:
    """Make threads and garbage collections interrupt the event loop for little time."""
    # While a thread works out a page, the event loop waits for 1 ms at a time instead of 5.
    sys.setswitchinterval(0.001)
    # Modules, which no pass of the garbage collector has to visit.
    gc.freeze()


async def return_memory() -> None:
    """Return freed memory to the system every 15 s: after a flood, glibc would keep it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim:
        trim(0)
        await asyncio.sleep(15.0)
