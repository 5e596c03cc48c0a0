"""Says which client is installed, and repeats one order."""

from importlib.metadata import version

import aiohttp  # noqa: F401  (the asynchronous client needs it)
import requests  # noqa: F401  (the synchronous one these two)
import socketio  # noqa: F401
import websocket  # noqa: F401

print("python-socketio", version("python-socketio"))
print("told", input())
