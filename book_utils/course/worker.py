"""The process in which answers live when they are not the checker's own: reads requests on standard input, writes plain replies."""

import os
import sys

from book_utils.course import catalog, guard, wire
from book_utils.course.transport import Local, Raised


def serve() -> None:
    """Answer requests until standard input ends. What an answer prints never reaches the channel."""
    channel_in, channel_out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # file descriptor 1 is no longer the channel
    local = None
    while len(head := channel_in.read(8)) == 8:
        request = wire.decode(channel_in.read(int.from_bytes(head, "big")))
        try:
            if "define" in request:
                exercise = catalog.exercise(request["define"])
                local = Local(exercise, exercise.compile(request["source"]), request["source"])
                reply = {"result": None}
            else:
                reply = {"result": local.call(request["mode"], request["args"], request["options"]), "printed": local.printed}
        except Raised as raised:
            reply = {"raised": raised.text, "line": raised.line, "code": raised.code}
        except guard.Todo:
            reply = {"todo": True}
        except guard.Refused as refused:
            reply = {"refused": str(refused)}
        except guard.TooLong:
            reply = {"toolong": True}
        data = wire.encode(reply)
        channel_out.write(len(data).to_bytes(8, "big") + data)
        channel_out.flush()


if __name__ == "__main__":
    serve()
