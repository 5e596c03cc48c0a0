"""Visits of python-socketio's client on asyncio; see visits.mjs."""

import asyncio
import json
import sys

import socketio

url, transports, at_once = sys.argv[1:]
more = {"transports": ["websocket"]} if transports == "websocket" else {}


async def visit(sos, token):
    wrongs, text = [], None
    joined, heard = asyncio.Event(), asyncio.Event()
    sio = socketio.AsyncClient(reconnection=False)
    sio.on("connect_error", lambda error=None: wrongs.append(f"connect_error {error}"))
    sio.on("error", lambda error: wrongs.append(f"error {error}"))
    sio.on("sos:state", lambda state: joined.set())
    sio.on("message:broadcast", lambda message: message["text"] == text and heard.set())
    leaving, ok, transport = False, False, None

    def gone(reason):
        if not leaving:
            wrongs.append(f"disconnect {reason}")

    sio.on("disconnect", gone)
    try:
        await sio.connect(url, auth={"token": token}, wait_timeout=15, **more)
        await asyncio.wait_for(joined.wait(), 15)
        text = f"from {sio.get_sid()}"
        reply = await sio.call("message:send", {"sosId": sos, "text": text}, timeout=15)
        if not reply["ok"]:
            wrongs.append(f"message:send {reply}")
        await asyncio.wait_for(heard.wait(), 15)
        transport, ok = sio.transport(), True
    except Exception as error:
        wrongs.append(repr(error))
    leaving = True
    await sio.disconnect()
    print(json.dumps({"ok": ok, "transport": transport, "wrongs": wrongs}), flush=True)


async def main():
    visits = []
    while (line := sys.stdin.readline().strip()) != "end":
        visits.append(line.split(" "))

    async def worker():
        while visits:
            await visit(*visits.pop())

    await asyncio.gather(*(worker() for _ in range(int(at_once))))


asyncio.run(main())
