"""Stands for a dbt that `forked_dbt.py` forks: same output, same end. Few imports: it is quick."""

import json
import os
import select
import signal
import socket
import sys
import time


def main() -> None:
    parent = os.environ.get("SEQUEN_PARENT_PID")
    umask = os.umask(0)
    os.umask(umask)
    asked = {
        "arguments": sys.argv[2:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109  # pathlib takes longer than all the rest
        "umask": umask,
    }
    message = json.dumps(asked).encode()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.connect(sys.argv[1])
    socket.send_fds(server, [len(message).to_bytes(4, "big")], [1, 2])
    server.sendall(message)
    lines = server.makefile()
    child = int(lines.readline())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(child, number))
    while not select.select([server], [], [], 0.5)[0]:
        # The dbt that this stands for would end with its parent.
        if parent and os.getppid() != int(parent):
            os.kill(os.getpid(), signal.SIGKILL)
    code = lines.readline()
    # It has ended, and its files are closed, when the server has let it go.
    while True:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            break
        time.sleep(0.002)
    if not code:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(int(code))


if __name__ == "__main__":
    main()
