"""What the two Python scripts share: their language is that of talk.mjs."""

import base64
import json
import sys


def write(value):
    return json.dumps(value, default=lambda raw: {"$bytes": base64.b64encode(raw).decode()})


def read(line):
    return json.loads(line, object_hook=lambda o: base64.b64decode(o["$bytes"]) if "$bytes" in o else o)


def say(fact, value):
    # One write: handlers run on threads of their own.
    sys.stdout.write(f"{fact} {write(value)}\n")
    sys.stdout.flush()


def options():
    """URL and keyword arguments of connect()."""
    url, token, transports, _ = sys.argv[1:5]
    more = {} if transports == "default" else {"transports": [transports]}
    return url, {"auth": {"token": token}, "wait_timeout": 40, **more}


def serializer():
    return "msgpack" if sys.argv[4] == "msgpack" else "default"
