"""Stands between Stepwell and a model, and keeps each answer as it came over the wire.

    python tee.py FOLDER PORT MODEL_PORT

The first part of the path names the answer and is not passed on: what is answered to `/openai.stream/v1/responses` goes
to FOLDER/openai.stream. Of a name that ends in `.json` the body alone is kept.
"""

import re
import socket
import socketserver
import sys
from pathlib import Path

FOLDER, PORT, MODEL_PORT = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def read_head(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.read(1)
        if not byte:
            raise ConnectionError("it ended in the middle of the head")
        head += byte
    return head


def length_of(head):
    found = re.search(rb"(?im)^content-length: *(\d+)", head)
    return int(found[1]) if found else 0


def pieces_of(stream, head):
    """The body as it stands on the wire, up to its end and not to that of the connection."""
    if not re.search(rb"(?im)^transfer-encoding: *chunked", head):
        yield stream.read(length_of(head))
        return
    size = None
    while size != 0:
        line = stream.readline()
        size = int(line, 16)
        yield line + stream.read(size + 2)


class Between(socketserver.StreamRequestHandler):
    def handle(self):
        head = read_head(self.rfile)
        body = self.rfile.read(length_of(head))
        name, head = re.match(rb"[A-Z]+ /([a-z_.]+)/", head)[1].decode(), re.sub(rb" /[a-z_.]+/", b" /", head, count=1)
        with socket.create_connection(("127.0.0.1", MODEL_PORT)) as model, model.makefile("rb") as answer:
            model.sendall(head + body)
            kept = read_head(answer)
            self.pass_on(kept)
            body = b""
            for piece in pieces_of(answer, kept):
                body += piece
                self.pass_on(piece)
        (FOLDER / name).write_bytes(body if name.endswith(".json") else kept + body)

    def pass_on(self, piece):
        # Who has the end of an answer hangs up; what is kept is whole all the same.
        try:
            self.wfile.write(piece)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", PORT), Between) as server:
    print(f"between 127.0.0.1:{PORT} and 127.0.0.1:{MODEL_PORT}", flush=True)
    server.serve_forever()
