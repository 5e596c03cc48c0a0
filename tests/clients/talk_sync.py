"""python-socketio's client on threads, led line by line; see talk.mjs."""

import sys

import socketio
from talk_shared import options, read, say, serializer

sio = socketio.Client(serializer=serializer())
sio.on("*", lambda event, *args: say("event", [event, *args]))
sio.on("connect", lambda: say("connected", sio.get_sid()))
sio.on("connect_error", lambda error: say("refused", error))
sio.on("disconnect", lambda reason: say("disconnected", reason))

url, arguments = options()
sio.connect(url, **arguments)
say("settled", sio.transport())
for line in sys.stdin:
    order, *event = read(line)
    if order == "leave":
        break
    if order == "emit":
        sio.emit(*event)
    else:
        say("ack", sio.call(*event, timeout=40))
sio.disconnect()
