"""An S3 server behind a bad line: each request is passed on to a real one, and spoilt when that is asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import define, field

from loanhub import Remote
from loanhub.testing.servers import S3Server
from loanhub_remote_s3 import open_s3

MIB = 1 << 20
Spoil = Callable[["Exchange"], None]


@define
class Exchange:
    """One request on its way: its method, path and headers; `pass_on` has it answered by the real server."""

    line: Line
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    handler: BaseHTTPRequestHandler = field(repr=False)

    def pass_on(self, **more: str) -> tuple[int, dict[str, str], bytes]:
        """The real answer, with `more` headers (their underscores as dashes) added to the request."""
        connection = HTTPConnection(self.line.host, self.line.port, timeout=60.0)
        added = {name.replace("_", "-"): value for name, value in more.items()}
        try:
            connection.request(self.method, self.path, self.body, {**self.headers, **added})
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name != "Transfer-Encoding"}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: int | None = None) -> None:
        """Answer so; with `cut` the line goes dead after so many bytes of the body."""
        self.handler.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection"):
                self.handler.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.method == "HEAD" else str(len(body))
        self.handler.send_header("Content-Length", length)
        self.handler.end_headers()
        if self.method != "HEAD":
            self.handler.wfile.write(body[:cut])
        if cut is not None:
            self.hang_up()

    def pass_through(self) -> None:
        """As if there were no line between."""
        self.answer(*self.pass_on())

    def refuse(self, status: int, code: str) -> None:
        """Answer with an error as S3 writes it."""
        self.answer(status, {}, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())

    def hang_up(self) -> None:
        """The line goes dead."""
        self.handler.close_connection = True


@define
class Line:
    """The line to a real server at `host:port`; `spoils` are taken one for each request, in order.

    `always`, when set, takes what no spoil is left for.
    """

    host: str
    port: int
    spoils: list[Spoil | None] = field(factory=list)
    always: Spoil | None = None
    seen: list[tuple[str, str]] = field(factory=list)
    endpoint: str = ""
    pause: float = 0.0
    """Seconds that each MiB of what is sent takes longer."""


def lose_the_answer(one: Exchange) -> None:
    """It was done, and nobody was told."""
    one.pass_on()
    one.hang_up()


def lose_the_request(one: Exchange) -> None:
    """It never got there."""
    one.hang_up()


def busy_after_doing(one: Exchange) -> None:
    """It was done, and the answer is that it was not."""
    one.pass_on()
    one.refuse(503, "SlowDown")


def busy(one: Exchange) -> None:
    """It was not done."""
    one.refuse(503, "SlowDown")


def under_way(one: Exchange) -> None:
    """Somebody else is at it."""
    one.refuse(409, "ConditionalRequestConflict")


def cut_short(one: Exchange) -> None:
    """Half of the answer, then nothing."""
    status, headers, body = one.pass_on()
    one.answer(status, headers, body, cut=len(body) // 2)


def accept(one: Exchange) -> None:
    """Say that it was stored, and keep nothing."""
    one.answer(200, {"ETag": '"0"'}, b"")


def refusing(status: int, code: str) -> Spoil:
    """A server that always says this."""
    return lambda one: one.refuse(status, code)


@contextmanager
def bad_line(endpoint: str) -> Iterator[Line]:
    """A line to the server at `endpoint`; its own is `Line.endpoint`."""
    host, _, port = endpoint.removeprefix("http://").partition(":")
    line = Line(host, int(port))
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            headers = {n: v for n, v in self.headers.items() if n.lower() not in ("connection", "expect")}
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            body = self.body(int(self.headers.get("Content-Length", 0)))
            one = Exchange(line, self.command, self.path, headers, body, self)
            with turn:
                line.seen.append((self.command, self.path))
                spoil = line.spoils.pop(0) if line.spoils else line.always
            (spoil or Exchange.pass_through)(one)

        def body(self, length: int) -> bytes:
            """Read as fast as the line is."""
            found = bytearray()
            while len(found) < length:
                time.sleep(line.pause)
                found += self.rfile.read(min(MIB, length - len(found)))
            return bytes(found)

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        line.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield line
        finally:
            server.shutdown()
            thread.join()


def opened(line: Line, server: S3Server, address: str, **more: object) -> Remote:
    """The remote at `address` of `server`, over the line."""
    return open_s3(address, {**server.settings(), "endpoint": line.endpoint, "patience": 20.0, **more})


def calls(remote: Remote) -> Iterator[tuple[Callable[[], object], object]]:
    """Every kind of call, with its answer when they are made one after the other on an empty remote."""
    yield lambda: remote.put_new("c/1", b"first"), True
    yield lambda: remote.get("c/1"), b"first"
    yield lambda: remote.size("c/1"), 5
    yield lambda: [one.name for one in remote.list("c/")], ["c/1"]
    yield lambda: remote.delete("c/1"), None
