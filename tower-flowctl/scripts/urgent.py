"""Times an urgent response beside bulk, server by server. See urgent beside this file."""

import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

RATE = 2_500_000
BULK, URGENT, RESPONSES = 1 << 20, 50 << 10, 20
MOST = 2**31 - 1
HEADERS, DATA, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 1, 0, 4, 6, 7, 8
# Seconds after which a server is taken for stuck.
PATIENCE = 30


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


class Client:
    """A connection that is read at RATE.

    What has reached the client's kernel no server can overtake, and at 64 KiB it was most of what was measured: so it holds
    the least it can.
    """

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 10)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = b""
        self.due = time.monotonic()
        self.ended = set()
        self.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, MOST))
            + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", MOST - 65_535))
        )

    def get(self, stream, path, urgent):
        # Each server reads the signal it knows: RFC 7540's dependency, or RFC 9218's field.
        block = struct.pack(">IB", 0, 255 if urgent else 15) + b"\x82\x86" + literal(":path", path)
        block += literal(":authority", "localhost")
        if urgent:
            block += literal("priority", "u=0")
        # END_STREAM, END_HEADERS, PRIORITY
        self.socket.sendall(frame(HEADERS, 0x25, stream, block))

    def read(self):
        """Takes what has come, no faster than RATE."""
        wait = self.due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        data = self.socket.recv(4 << 10)
        if not data:
            raise RuntimeError("the server has closed the connection")
        self.due = max(self.due, time.monotonic() - 0.01) + len(data) / RATE
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
            payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
            if kind == GOAWAY:
                raise RuntimeError(f"GOAWAY: {payload!r}")
            if kind in (SETTINGS, PING) and not flags & 1:
                answer = payload if kind == PING else b""
                self.socket.sendall(frame(kind, 1, 0, answer))
            if kind in (HEADERS, DATA) and flags & 1:
                self.ended.add(stream)


def urgent_after(port, paths, bulk):
    client = Client(port)
    for n in range(bulk):
        client.get(2 * n + 1, paths[0], urgent=False)
    half = time.monotonic() + 0.5
    while bulk and time.monotonic() < half:
        client.read()
    stream = 2 * bulk + 1
    client.get(stream, paths[1], urgent=True)
    asked = time.monotonic()
    while stream not in client.ended:
        client.read()
    client.socket.close()
    return (time.monotonic() - asked) * 1000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def commands(peer, directory):
    """Name, command, port and paths of each server; those that are not there are named."""
    own = (f"/bytes/{BULK}", f"/bytes/{URGENT}")
    yield "axum::serve", [peer, "plain"], None, own
    yield "tower-flowctl", [peer], None, own
    files = ("/bulk", "/urgent")
    for name, length in (("bulk", BULK), ("urgent", URGENT)):
        with open(os.path.join(directory, name), "wb") as file:
            file.write(b"x" * length)
    port = free_port()
    h2o = os.path.join(directory, "h2o.yaml")
    with open(h2o, "w") as file:
        file.write(
            f"listen:\n  host: 127.0.0.1\n  port: {port}\nuser: root\n"
            if os.geteuid() == 0
            else f"listen:\n  host: 127.0.0.1\n  port: {port}\n"
        )
        file.write(f"hosts:\n  default:\n    paths:\n      /:\n        file.dir: {directory}\n")
    yield "h2o", ["h2o", "-c", h2o], port, files
    port = free_port()
    yield "nghttpd", ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", directory, str(port)], port, files
    port = free_port()
    nginx = os.path.join(directory, "nginx.conf")
    with open(nginx, "w") as file:
        file.write(
            "daemon off; pid nginx.pid; error_log stderr crit; events {}"
            f" http {{ access_log off; server {{ listen 127.0.0.1:{port} http2; root {directory}; }} }}"
        )
    yield "nginx", ["nginx", "-p", directory, "-c", nginx], port, files


def start(command, port):
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=subprocess.PIPE if port is None else quiet, stderr=quiet)
    if port is None:
        return server, int(server.stdout.readline().split(b":")[-1])
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port
        except ConnectionRefusedError:
            time.sleep(0.05)
    server.kill()
    raise RuntimeError(f"{command[0]} does not listen")


def main():
    peer, rounds = sys.argv[1], int(sys.argv[2])
    print(f"{'server':16} {'alone ms':>10} {'among 20 ms':>12} {'of alone':>9}")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for name, command, port, paths in commands(peer, directory):
            if shutil.which(command[0]) is None:
                print(f"{name:16} not installed")
                continue
            server, port = start(command, port)
            try:
                times = [
                    statistics.median(urgent_after(port, paths, bulk) for _ in range(rounds))
                    for bulk in (0, RESPONSES)
                ]
            finally:
                server.terminate()
                server.wait()
            print(f"{name:16} {times[0]:10.1f} {times[1]:12.1f} {times[1] / times[0]:9.2f}", flush=True)


if __name__ == "__main__":
    main()
