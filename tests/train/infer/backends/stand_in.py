"""A server of this process that speaks the API of `vllm serve`, as far as it is used, with an engine of ours behind it.

The form of requests, answers and errors is that of vLLM 0.10.2 to 0.28 (vllm/entrypoints/openai/completion and
vllm/entrypoints/serve/tokenize): pieces of a streamed answer hold the ids of one token or more, and the id that ended
it too; their text is written as it is, whatever ends a line there. A proxy between the two may keep a stream with
comments.
"""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from tokenizers import Tokenizer

from curation.train.infer.backends.base import Request
from curation.train.infer.engine import Engine
from curation.train.infer.sampling import Allowed, Sampling


@dataclass
class Served:
    """What the server has, what it was asked, and which of its faults are on."""

    engine: Engine
    tokenizer: Tokenizer
    url: str = ""
    asked: list[dict] = field(default_factory=list)
    """Bodies of requests for completions,"""
    keys: set[str] = field(default_factory=set)
    """and the header Authorization of all."""
    running: int = 0
    most: int = 0
    """Requests that ran at once."""
    broken: int = 0
    """Answers whose client left."""
    text_only: bool = False
    cut_after: int = -1
    """Tokens after which the connection is closed."""
    fail_after: int = -1
    """Tokens after which the stream says that it failed."""
    done_after: int = -1
    """Tokens after which the stream ends as if it were whole."""
    foreign: bool = False
    """Whether it answers with ids that were not allowed."""
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Paths that are answered with another status and body."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def pieces(self, body):
        """Ids of an answer, three at a time, with its end; and why it ended."""
        stops = body["stop_token_ids"]
        inside = sorted(set(body["allowed_token_ids"]) - set(stops))
        assert inside == list(range(inside[0], inside[-1] + 1))
        sampling = Sampling(body["temperature"], body["top_p"], body["repetition_penalty"], body["seed"])
        allowed = Allowed(range(inside[0], inside[-1] + 1), tuple(stops))
        request = Request(np.array(body["prompt"], np.int32), allowed, body["max_tokens"], sampling)
        answer, waiting = self.engine.submit(request), []
        try:
            for number in self.engine.follow(answer):
                waiting.append(number + 1_000_000 * self.foreign)
                if len(waiting) == 3:
                    yield waiting, None, None
                    waiting = []
        finally:
            self.engine.cancel(answer)
        ended = answer.finished == "end"
        yield [*waiting, *([answer.end] if ended else [])], "stop" if ended else "length", answer.end if ended else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    @property
    def served(self) -> Served:
        return self.server.served

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.loads(data) if data else {}
        self.served.keys.add(self.headers.get("authorization", ""))
        if self.path in self.served.answers:
            self.whole(*self.served.answers[self.path])
        elif self.path == "/v1/models":
            card = {"id": "tiny", "object": "model", "root": "/models/tiny", "max_model_len": self.served.engine.length}
            self.whole(200, json.dumps({"object": "list", "data": [card]}))
        elif self.path == "/tokenize":
            found = self.served.tokenizer.encode(body["prompt"], add_special_tokens=body["add_special_tokens"]).ids
            self.whole(200, json.dumps({"count": len(found), "max_model_len": 4096, "tokens": found}))
        elif self.path != "/v1/completions":
            self.whole(404, '{"detail":"Not Found"}')
        elif body["model"] != "tiny":
            self.whole(404, error(f"The model `{body['model']}` does not exist.", 404))
        elif len(body["prompt"]) + body["max_tokens"] > self.served.engine.length:
            self.whole(400, error("This model's maximum context length is smaller.", 400))
        else:
            self.stream(body)

    def whole(self, status, text):
        data = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, body):
        served = self.served
        with served.lock:
            served.asked.append(body)
            served.running += 1
            served.most = max(served.most, served.running)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        pieces = served.pieces(body)
        try:
            self.send_pieces(body, pieces)
        except OSError:
            served.broken += 1
            self.close_connection = True
        finally:
            pieces.close()
            with served.lock:
                served.running -= 1

    def send_pieces(self, body, pieces):
        sent = 0
        self.wfile.write(b"8\r\n: ping\n\n\r\n")
        for ids, reason, stop in pieces:
            choice = {"index": 0, "text": "a\u2028b\u0085", "finish_reason": reason, "stop_reason": stop}
            if body["return_token_ids"] and not self.served.text_only:
                choice["token_ids"] = ids
                if not sent:
                    choice["prompt_token_ids"] = body["prompt"]
            piece = {"id": "cmpl-1", "object": "text_completion", "model": "tiny", "choices": [choice]}
            self.chunk(json.dumps(piece, ensure_ascii=False))
            sent += len(ids)
            if 0 <= self.served.cut_after <= sent:
                self.close_connection = True
                return
            if 0 <= self.served.fail_after <= sent:
                self.chunk(error("EngineCore encountered an issue.", 500))
                break
            if 0 <= self.served.done_after <= sent:
                break
        self.chunk("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, text):
        data = f"data: {text}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def error(text, code):
    return json.dumps({"error": {"message": text, "type": "BadRequestError", "param": None, "code": code}})


@contextmanager
def vllm(checkpoint, engine):
    """Serve a checkpoint by an engine that has its weights."""
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.served = Served(engine, tokenizer, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.served
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
