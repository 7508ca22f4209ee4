"""A small web server on this machine that can misbehave in the ways real ones do."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """One file and how it is served."""

    content: bytes
    status: int = 200
    etag: str = '"first"'
    ranges: bool = True  # False: a Range header is ignored
    if_range: bool = True  # False: If-Range is ignored, as a careless server does
    length: bool = True  # False: no Content-Length
    cuts: list[int] = field(default_factory=list)  # the n-th answer breaks off after this many bytes
    silence: float = 0.0  # seconds before the answer


class Server:
    """Serves `pages` (path -> Page) and remembers every request as (path, Range header or None)."""

    def __init__(self):
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *arguments):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_port}{path}"

    def serve(self, path: str, content: bytes, **options) -> str:
        self.pages[path] = Page(content, **options)
        return self.url(path)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.requests.append((request.path, asked))
        page = self.pages.get(request.path, Page(b"", status=404))
        time.sleep(page.silence)
        if page.status != 200:
            request.send_error(page.status)
            return
        whole = len(page.content)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and page.ranges else 0
        if page.if_range and request.headers.get("If-Range", page.etag) != page.etag:
            start = 0
        if start >= whole and start:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{whole}")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if page.length:
            request.send_header("Content-Length", str(whole - start))
        if page.etag:
            request.send_header("ETag", page.etag)
        request.end_headers()
        body = page.content[start:]
        with contextlib.suppress(ConnectionError):  # the client may have given up waiting
            request.wfile.write(body[: page.cuts.pop(0)] if page.cuts else body)
