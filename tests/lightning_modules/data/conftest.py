from __future__ import annotations

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lightning_modules.data.augment import NoAugment
from lightning_modules.data.digits import digits
from lightning_modules.data.module import ImageData


@pytest.fixture
def image_data():
    """image_data(source, **changes): an ImageData of digits where nothing else is said."""

    def build(source=digits, **changes) -> ImageData:
        usual = {"channels": 1, "size": 8, "classes": 10, "held_out": 157, "split_seed": 0}
        call = {"folder": Path("nowhere"), "batch_size": 128, "augment": NoAugment(), "seed": 0}
        return ImageData(partial(source), **(usual | call | changes))

    return build


class Server:
    """A publisher on 127.0.0.1: its `files`, where the next answers break off (in bytes), how many `requests` came."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests = 0
        self.break_after: list[int] = []
        outer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        self.requests += 1
        content = self.files.get(to.path.strip("/"))
        if content is None:
            to.send_error(404)
            return
        to.send_response(200)
        to.send_header("Content-Length", str(len(content)))
        to.end_headers()
        to.wfile.write(content[: self.break_after.pop(0)] if self.break_after else content)
        to.close_connection = True


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()
