"""A stand-in for W&B's server: answers on loopback what the client asks, and keeps what it is sent.

It knows runs, their files and artifacts. To a question that it does not know it answers with an error, and notes it.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY, KEY = "somebody", "0123456789" * 4
Fields = dict[str, Any]


class StandIn(ThreadingHTTPServer):
    """The server: `runs` by id, each with its config, summary, history, files and exit code.

    Attributes:
        views: workspaces and reports, by id.
        puzzled: the names of questions that were not answered.
    """

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.runs: dict[str, Fields] = {}
        self.views: dict[str, Fields] = {}
        self.puzzled: list[str] = []
        self.lock = threading.RLock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def environment(self, home: object) -> dict[str, str]:
        """The variables of a person who is logged in here."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "HOME": str(home), "NETRC": f"{home}/none"}

    def answer(self, name: str, asked: Fields) -> Fields | None:
        """The data of a GraphQL answer, by the name of the query; None where it is unknown."""
        known = getattr(self, f"on_{name}", None)
        return known(asked) if known else None

    def on_Viewer(self, asked: Fields) -> Fields:
        person = {"id": "u1", "entity": ENTITY, "username": ENTITY, "email": "a@b.c", "flags": "{}", "admin": False}
        return {"viewer": {**person, "teams": {"edges": []}}}

    def on_RunResumeStatus(self, asked: Fields) -> Fields:
        run = self.runs.get(asked["name"])
        return {"model": {"id": "p1", "name": asked["project"], **OWNER, "bucket": run and self.bucket(run)}}

    def on_UpsertView2(self, asked: Fields) -> Fields:
        return self.on_upsertView(asked)

    def on_upsertView(self, asked: Fields) -> Fields:
        """Keep a workspace or a report; one with an `id` is changed."""
        id = asked.get("id") or f"view{len(self.views)}"
        known = self.views.get(id, {})
        kept = {key: asked[key] if asked.get(key) is not None else known.get(key) for key in VIEW}
        self.views[id] = {"id": id, **kept, "createdAt": None, "updatedAt": None}
        return {"upsertView": {"view": self.view(id), "inserted": not known}}

    def on_GetProjects(self, asked: Fields) -> Fields:
        names = {run["project"] for run in self.runs.values()}
        rest = {"entityName": ENTITY, "createdAt": "2026-01-01T00:00:00", "isBenchmark": False, "user": None}
        edges = [{"node": {"__typename": "Project", "id": name, "name": name, **rest}} for name in sorted(names)]
        pages = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {"models": {"pageInfo": pages, "edges": edges}}

    def on_View(self, asked: Fields) -> Fields:
        edges = [{"node": view} for view in self.views.values() if view["name"] == asked["viewName"]]
        return {"project": {"allViews": {"edges": edges}}}

    def on_SpecificReport(self, asked: Fields) -> Fields:
        return {"view": self.view(asked["reportId"])}

    def on_ProjectInternalId(self, asked: Fields) -> Fields:
        return {"project": {"id": "p1", "internalId": "1"}}

    def view(self, id: str) -> Fields:
        project = {"id": "p1", "name": self.views[id]["projectName"], "entityName": ENTITY}
        return {**self.views[id], "project": project, "user": {"name": ENTITY, "username": ENTITY}}

    def on_OrganizationCoreWeaveOrganizationID(self, asked: Fields) -> Fields:
        return {"entity": None}

    def on_UpsertBucket(self, asked: Fields) -> Fields:
        new = asked["name"] not in self.runs
        empty = {"config": "{}", "summaryMetrics": "{}", "tags": [], "history": {}, "files": {}, "exits": []}
        run = self.runs.setdefault(asked["name"], {"starts": 0, **empty})
        run.update({key: value for key, value in asked.items() if value is not None})
        run["starts"] += asked.get("host") is not None
        return {"upsertBucket": {"bucket": self.bucket(run), "inserted": new}}

    def on_CreateRunFiles(self, asked: Fields) -> Fields:
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/{asked['run']}/{name}"} for name in asked["files"]]
        return {"createRunFiles": {"runID": asked["run"], "uploadHeaders": [], "files": files}}

    def bucket(self, run: Fields) -> Fields:
        """A run, as the client has it described."""
        lines = [run["history"][k] for k in sorted(run["history"])]
        about = {key: run.get(key) for key in ("name", "displayName", "config", "summaryMetrics", "tags", "notes")}
        counts = {"historyLineCount": len(lines), "eventsLineCount": 0, "logLineCount": 0}
        tails = {"historyTail": json.dumps(lines[-1:]), "eventsTail": "[]", "sweepName": None}
        begun = json.loads(run["config"]).get("_wandb", {}).get("value", {}).get("t")
        tails["wandbConfig"] = json.dumps({"t": begun} if begun else {})  # without it a run has not begun
        project = {"id": "p1", "name": run["project"], "entity": {"id": "e1", "name": run.get("entity") or ENTITY}}
        return {"id": run["name"], "description": None, **about, **counts, **tails, "project": project}

    def stream(self, id: str, sent: Fields) -> None:
        """Take a piece of a run: lines of its history, its summary, its exit code."""
        run = self.runs[id]
        for name, piece in (sent.get("files") or {}).items():
            if name == "wandb-history.jsonl":
                run["history"].update(enumerate(piece["content"], start=piece["offset"]))
            elif name == "wandb-summary.json":
                run["summaryMetrics"] = piece["content"][-1]
        if sent.get("complete"):
            run["exits"].append(sent.get("exitcode"))


VIEW = ("name", "displayName", "description", "type", "spec", "projectName")
OWNER = {"entity": {"id": "e1", "name": ENTITY}}


class Request(BaseHTTPRequestHandler):
    """One question."""

    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        body = self.body()
        with self.server.lock:
            if self.path == "/graphql":
                asked = json.loads(body)
                name = asked.get("operationName") or asked["query"].split("(")[0].split("{")[0].split()[-1]
                found = self.server.answer(name, asked.get("variables") or {})
                if found is None:
                    self.server.puzzled.append(name)
                self.say({"data": found} if found is not None else {"errors": [{"message": f"unknown: {name}"}]})
            elif self.path.endswith("/file_stream"):
                self.server.stream(self.path.split("/")[-2], json.loads(body))
                self.say({})
            else:
                self.say({})

    def do_PUT(self) -> None:
        body = self.body()
        _, _, id, name = self.path.split("/", 3)
        with self.server.lock:
            self.server.runs[id]["files"][name] = body
        self.say({})

    def do_GET(self) -> None:
        self.server.puzzled.append(self.path)
        self.say({})

    def body(self) -> bytes:
        found = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while length := int(self.rfile.readline(), 16):
                found += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            found = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(found) if self.headers.get("Content-Encoding") == "gzip" else found

    def say(self, answer: Any) -> None:
        out = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Serve while the `with` block lasts."""
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
