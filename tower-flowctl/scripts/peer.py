"""Checks a server by the h2, hyperframe and hpack packages. See python-h2 beside this file."""

import hashlib
import os
import socket
import struct
import subprocess
import sys

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import hyperframe.frame as frames

INITIAL_WINDOW_SIZE = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
NO_RFC7540_PRIORITIES = 9
ENABLE_CONNECT_PROTOCOL = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
MOST = 2**31 - 1
# Seconds without a byte after which a server is taken for stuck.
PATIENCE = 20


class Failure(Exception):
    """The server did something else than it should."""


def require(holds, message):
    if not holds:
        raise Failure(message)


class Response:
    def __init__(self):
        self.headers = None
        self.trailers = None
        self.body = bytearray()
        self.ended = False
        self.reset = None

    def status(self):
        return self.headers and dict(self.headers).get(b":status")

    def text(self):
        return self.body.decode()


class Client:
    """A connection. What is sent leaves at once; what arrives is kept by stream, and in its order."""

    def __init__(self, address, window=None):
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.responses = {}
        # (stream, bytes) of each DATA frame.
        self.order = []
        self.settings = {}
        self.pongs = []
        self.acknowledged = 0
        self.ended = False
        # Whether windows are opened as data arrives.
        self.opens = True
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({INITIAL_WINDOW_SIZE: window})
        self.flush()
        expected = 1 if window is None else 2
        self.until(lambda: self.settings and self.acknowledged == expected)

    def flush(self):
        self.send_raw(self.h2.data_to_send())

    def send_raw(self, data):
        self.socket.sendall(data)

    def send_frame(self, frame):
        self.send_raw(frame.serialize())

    def until(self, done):
        while not done():
            require(not self.ended, "the server closed the connection")
            self.receive()

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            self.ended = True
            return
        for event in self.h2.receive_data(data):
            self.on(event)
        self.flush()

    def on(self, event):
        stream = getattr(event, "stream_id", None)
        response = self.responses.get(stream)
        if isinstance(event, h2.events.RemoteSettingsChanged):
            for code, change in event.changed_settings.items():
                self.settings[int(code)] = change.new_value
        elif isinstance(event, h2.events.SettingsAcknowledged):
            self.acknowledged += 1
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs.append(event.ping_data)
        elif isinstance(event, h2.events.ResponseReceived):
            response.headers = event.headers
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            self.order.append((stream, len(event.data)))
            if self.opens and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.StreamEnded):
            response.ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            raise Failure(f"GOAWAY: {event.error_code!r} {event.additional_data!r}")

    def request(self, path, method="GET", end=True, fields=(), flush=True, **priority):
        stream = self.h2.get_next_available_stream_id()
        self.responses[stream] = Response()
        headers = [
            (":method", method),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", path),
            *fields,
        ]
        self.h2.send_headers(stream, headers, end_stream=end, **priority)
        if flush:
            self.flush()
        return stream

    def send_body(self, stream, body, pad=None):
        body = memoryview(body)
        while body:
            overhead = 0 if pad is None else pad + 1
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            length = min(len(body), room - overhead)
            if length <= 0:
                self.receive()
                continue
            self.h2.send_data(stream, body[:length].tobytes(), pad_length=pad)
            self.flush()
            body = body[length:]

    def end(self, stream):
        self.h2.end_stream(stream)
        self.flush()

    def response(self, stream):
        response = self.responses[stream]
        self.until(lambda: response.ended or response.reset is not None)
        require(response.reset is None, f"stream {stream} was reset: {response.reset!r}")
        return response

    def get(self, path, **more):
        return self.response(self.request(path, **more))

    def open_windows(self, connection, streams=None):
        if streams is not None:
            self.h2.update_settings({INITIAL_WINDOW_SIZE: streams})
        self.h2.increment_flow_control_window(connection)
        self.flush()

    def ping(self):
        data = os.urandom(8)
        self.h2.ping(data)
        self.flush()
        self.until(lambda: data in self.pongs)

    def lives(self):
        self.ping()
        require(self.get("/bytes/10").body == b"x" * 10, "the next request is not answered")

    def completion(self, streams):
        """The streams in the order in which their last byte came."""
        last = {stream: at for at, (stream, _) in enumerate(self.order)}
        return sorted(streams, key=last.__getitem__)


def extension(kind, body):
    frame = frames.ExtensionFrame(type=kind, stream_id=0, body=body)
    # It is only set when a frame is parsed.
    frame.body_len = len(body)
    return frame


def priority_update(stream, value):
    return extension(0x10, struct.pack("!L", stream) + value.encode())


def cut(data, sizes, pad=0):
    """Cuts the HEADERS in serialized frames into HEADERS and CONTINUATION of these sizes, and pads the former."""
    out = bytearray()
    while data:
        frame, length = frames.Frame.parse_frame_header(memoryview(data)[:9])
        frame.parse_body(memoryview(data)[9 : 9 + length])
        data = data[9 + length :]
        if not isinstance(frame, frames.HeadersFrame):
            out += frame.serialize()
            continue
        block, frame.data = frame.data, frame.data[: sizes[0]]
        block = block[sizes[0] :]
        frame.flags.discard("END_HEADERS")
        if pad:
            frame.flags.add("PADDED")
            frame.pad_length = pad
        parts = [frame]
        for size in sizes[1:]:
            part = frames.ContinuationFrame(frame.stream_id)
            part.data, block = block[:size], block[size:]
            parts.append(part)
        rest = frames.ContinuationFrame(frame.stream_id)
        rest.data = block
        rest.flags.add("END_HEADERS")
        for part in [*parts, rest]:
            out += part.serialize()
    return bytes(out)


# The checks. Those of a server that knows priorities have the mark `priorities`.

CHECKS = []


def check(priorities=False):
    def add(function):
        CHECKS.append((function, priorities))
        return function

    return add


@check()
def answers_a_request(client):
    response = client.get("/bytes/100000")
    require(response.status() == b"200", response.headers)
    require(response.body == b"x" * 100000, "the body is another")


@check()
def echoes_eight_megabytes(client):
    body = os.urandom(8 << 20)
    stream = client.request("/echo", "POST", end=False)
    client.send_body(stream, body)
    client.end(stream)
    back = client.response(stream).body
    require(hashlib.sha256(back).digest() == hashlib.sha256(body).digest(), "the body is another")


@check()
def echoes_padded_data(client):
    body = os.urandom(1 << 20)
    stream = client.request("/echo", "POST", end=False)
    client.send_body(stream, body, pad=255)
    client.end(stream)
    require(client.response(stream).body == body, "the body is another")
    client.lives()


@check()
def takes_trailers_and_sends_them(client):
    stream = client.request("/trailers", "POST", end=False, fields=[("te", "trailers")])
    client.send_body(stream, b"0123456789")
    client.h2.send_headers(stream, [("x-sum", "45")], end_stream=True)
    client.flush()
    response = client.response(stream)
    require(response.body == b"body", response.body)
    require(response.trailers == {b"x-sum": b"45", b"x-length": b"10"}, response.trailers)


@check()
def takes_headers_in_pieces(client):
    client.flush()
    for sizes, pad in [([1], 0), ([0, 0, 5], 0), ([20], 200), ([7, 7], 1)]:
        # Several blocks, whose fields refer to each other through the dynamic table.
        stream = client.request("/headers", fields=[("x-long", "y" * 300)], flush=False)
        client.send_raw(cut(client.h2.data_to_send(), sizes, pad))
        require(client.response(stream).text() == "1 300", client.responses[stream].text())


@check()
def takes_large_headers(client):
    fields = [(f"x-{n}", "z" * 1000) for n in range(12)]
    require(client.get("/headers", fields=fields).text() == "12 12000", "fields are lost")


@check()
def refuses_headers_that_are_too_large(client):
    fields = [(f"x-{n}", "z" * 1000) for n in range(20)]
    response = client.responses[client.request("/headers", fields=fields)]
    client.until(lambda: response.ended or response.reset is not None)
    require(response.status() == b"431", response.headers)
    client.lives()


@check()
def survives_resets(client):
    # Fewer, and more slowly, than would be an attack.
    for _ in range(100):
        stream = client.request("/bytes/1000000")
        client.until(lambda: client.responses[stream].headers)
        client.h2.reset_stream(stream, error_code=8)
        client.flush()
    first = client.request("/bytes/3000000")
    client.until(lambda: len(client.responses[first].body) > 100000)
    client.h2.reset_stream(first, error_code=8)
    client.flush()
    client.lives()


@check()
def keeps_to_windows(client):
    client.opens = False
    stream = client.request("/bytes/500000")
    response = client.responses[stream]
    # The connection's window is the first to be used up.
    client.until(lambda: len(response.body) == 65535)
    client.ping()
    require(len(response.body) == 65535, "more than the window came")
    # A window below zero: the stream's, of 65,535 bytes, is used up, and shrinks.
    client.h2.update_settings({INITIAL_WINDOW_SIZE: 30000})
    client.flush()
    client.until(lambda: client.acknowledged == 2)
    client.h2.increment_flow_control_window(1 << 20)
    client.h2.increment_flow_control_window(35535 + 1000, stream)
    client.flush()
    client.until(lambda: len(response.body) == 66535)
    client.ping()
    require(len(response.body) == 66535, "more than the window came")
    client.h2.increment_flow_control_window(1 << 20, stream)
    client.flush()
    require(len(client.response(stream).body) == 500000, "bytes are lost")


@check()
def serves_many_at_once(client):
    streams = [client.request(f"/bytes/{1000 + n}", flush=False) for n in range(100)]
    client.flush()
    for n, stream in enumerate(streams):
        require(len(client.response(stream).body) == 1000 + n, "responses are mixed up")


@check()
def tunnels(client):
    require(client.settings.get(int(ENABLE_CONNECT_PROTOCOL)) == 1, "no extended CONNECT (RFC 8441)")
    stream = client.request("/tunnel", "CONNECT", end=False, fields=[(":protocol", "websocket")])
    response = client.responses[stream]
    client.until(lambda: response.headers)
    require(response.status() == b"200", response.headers)
    body = os.urandom(300_000)
    for at in range(0, len(body), 10_000):
        client.send_body(stream, body[at : at + 10_000])
        client.until(lambda: len(response.body) == at + 10_000)
    client.end(stream)
    require(client.response(stream).body == body, "the bytes are others")
    client.lives()


@check()
def overlooks_unknown_frames(client):
    client.send_frame(extension(0xBE, b"grease" * 100))
    client.lives()


@check(priorities=True)
def announces_that_it_has_no_use_for_the_tree(client):
    require(client.settings.get(NO_RFC7540_PRIORITIES) == 1, client.settings)


@check(priorities=True)
def tells_handlers_the_priority(client):
    for field, expected in [
        ("u=0", "u=0, i=0"),
        ("u=5, i", "u=5, i=1"),
        ("i", "u=3, i=1"),
        ("u=9", "u=3, i=0"),
        ("u=1;x=y, z=(1 2)", "u=1, i=0"),
        ("u=1, !", "u=3, i=0"),
    ]:
        text = client.get("/priority", fields=[("priority", field)]).text()
        require(text == expected, f"`{field}` was taken for {text}")


def ordered(client, requests, between=lambda streams: None, size=300_000):
    """Makes requests while no response may be sent, then lets all be sent. Returns the order in which they ended."""
    client.opens = False
    streams = [client.request(f"/bytes/{size}", **more) for more in requests]
    between(streams)
    for stream in streams:
        client.until(lambda: client.responses[stream].headers)
    client.ping()
    client.open_windows(len(streams) * size + 65535, streams=MOST // 2)
    for stream in streams:
        client.response(stream)
    return [streams.index(stream) for stream in client.completion(streams)]


@check(priorities=True)
def goes_by_the_header(client):
    fields = ["u=5", "u=2", "u=7", "u=0", "u=2"]
    order = ordered(client, [{"fields": [("priority", field)]} for field in fields])
    require(order == [3, 1, 4, 0, 2], order)


goes_by_the_header.window = 0


@check(priorities=True)
def shares_among_incremental_ones(client):
    streams = 4
    ordered(client, [{"fields": [("priority", "u=3, i")]}] * streams)
    total = {}
    # While all are under way, none is far ahead.
    for stream, length in client.order:
        total[stream] = total.get(stream, 0) + length
        if len(total) == streams and max(total.values()) < 300_000:
            spread = max(total.values()) - min(total.values())
            require(spread <= 64 << 10, f"{total}")


shares_among_incremental_ones.window = 0


@check(priorities=True)
def goes_by_updates_before_requests(client):
    client.send_frame(priority_update(3, "u=0"))
    client.send_frame(priority_update(5, "u=1"))
    fields = [("priority", "u=2")]
    # The update counts, though the header comes later.
    order = ordered(client, [{"fields": fields}, {"fields": [("priority", "u=6")]}, {"fields": fields}])
    require(order == [1, 2, 0], order)


goes_by_updates_before_requests.window = 0


@check(priorities=True)
def goes_by_updates_in_mid_flight(client):
    client.opens = False
    size = 400_000
    streams = [client.request(f"/bytes/{size}", fields=[("priority", "u=3")]) for _ in range(3)]
    first = client.responses[streams[0]]
    client.until(lambda: len(first.body) == 65535)
    client.send_frame(priority_update(streams[2], "u=0"))
    client.ping()
    before = len(client.order)
    client.open_windows(3 * size)
    for stream in streams:
        client.response(stream)
    order = client.completion(streams)
    require(order == [streams[2], streams[0], streams[1]], order)
    # What was on its way to the socket already may come first.
    ahead = 0
    for stream, length in client.order[before:]:
        if stream == streams[2]:
            break
        ahead += length
    require(ahead <= 64 << 10, f"{ahead} bytes came before the change")


goes_by_updates_in_mid_flight.window = MOST


@check(priorities=True)
def goes_by_the_tree(client):
    def above(streams):
        client.h2.prioritize(streams[1], weight=256, depends_on=0, exclusive=True)
        client.flush()

    tree = {"priority_weight": 16, "priority_depends_on": 0, "priority_exclusive": False}
    # Style sheet above scripts, re-parented after all were asked for.
    order = ordered(client, [tree, tree, tree], above)
    require(order[0] == 1, order)


goes_by_the_tree.window = 0


@check(priorities=True)
def overlooks_updates_it_cannot_read(client):
    for value in ["u=;", "", "u=1, , i", "\x00", "u=" + "1" * 1000]:
        client.send_frame(priority_update(1, value))
    client.lives()


def main():
    program, *arguments = sys.argv[1:]
    plain = "plain" in arguments
    server = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
    failed = skipped = 0
    try:
        host, port = server.stdout.readline().split()[-1].rsplit(":", 1)
        for function, priorities in CHECKS:
            name = function.__name__.replace("_", " ")
            if priorities and plain:
                skipped += 1
                print(f"SKIPPED {name}: axum::serve has no priorities")
                continue
            try:
                client = Client((host, int(port)), getattr(function, "window", None))
                function(client)
                client.socket.close()
                print(f"ok      {name}")
            except (Failure, OSError, h2.exceptions.ProtocolError) as error:
                failed += 1
                print(f"FAILED  {name}: {error!r}")
    finally:
        server.kill()
        server.wait()
    print(f"{len(CHECKS) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
