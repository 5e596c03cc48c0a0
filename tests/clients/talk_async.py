"""python-socketio's client on asyncio, led line by line; see talk.mjs."""

import asyncio
import sys

import socketio
from talk_shared import options, read, say, serializer


async def main():
    sio = socketio.AsyncClient(serializer=serializer())
    sio.on("*", lambda event, *args: say("event", [event, *args]))
    sio.on("connect", lambda: say("connected", sio.get_sid()))
    sio.on("connect_error", lambda error: say("refused", error))
    sio.on("disconnect", lambda reason: say("disconnected", reason))
    url, arguments = options()
    await sio.connect(url, **arguments)
    say("settled", sio.transport())
    while line := await asyncio.to_thread(sys.stdin.readline):
        order, *event = read(line)
        if order == "leave":
            break
        if order == "emit":
            await sio.emit(*event)
        else:
            say("ack", await sio.call(*event, timeout=40))
    await sio.disconnect()


asyncio.run(main())
