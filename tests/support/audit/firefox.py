"""Debian's Firefox without a window, through its own remote protocol: no driver is packaged for it."""

import base64
import json
import socket
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

PREFERENCES = {
    "marionette.port": 0,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "media.autoplay.default": 0,
    "media.volume_scale": "0.0",
}


class Firefox(AbstractContextManager["Firefox"]):
    """One browser with a fresh profile in `folder`."""

    def __init__(self, folder: Path) -> None:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (folder / "user.js").write_text("\n".join(lines))
        options = ["--headless", "--marionette", "--no-remote", "--remote-allow-system-access"]
        command = ["firefox-esr", *options, "--profile", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.sent = 0
        self.socket = self._connected(folder / "MarionetteActivePort")
        self.stream = self.socket.makefile("rb")
        self._received()  # a greeting
        self.ask("WebDriver:NewSession", {})

    def __exit__(self, *_: object) -> None:
        self.ask("Marionette:Quit", {"flags": ["eForceQuit"]})
        self.socket.close()
        self.process.wait(30)

    def _connected(self, port: Path) -> socket.socket:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if port.exists() and port.read_text().strip():
                return socket.create_connection(("127.0.0.1", int(port.read_text())), 60)
            time.sleep(0.1)
        self.process.kill()
        msg = "firefox-esr does not answer"
        raise TimeoutError(msg)

    def _received(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self.stream.read(1)
        return json.loads(self.stream.read(int(length[:-1])))

    def ask(self, command: str, values: dict[str, Any]) -> Any:
        """The result of a command of WebDriver."""
        self.sent += 1
        content = json.dumps([0, self.sent, command, values]).encode()
        self.socket.sendall(f"{len(content)}:".encode() + content)
        _, _, error, result = self._received()
        assert error is None, error
        return result

    def run(self, script: str) -> Any:
        """The result of a script in the page."""
        return self.ask("WebDriver:ExecuteScript", {"script": script, "args": []})["value"]

    def complaints(self) -> list[str]:
        """What the console has said of the pages so far: errors, warnings and what their policy refused."""
        self.ask("Marionette:SetContext", {"value": "chrome"})
        found = self.run(
            "return Services.console.getMessageArray().filter(m => m instanceof Ci.nsIScriptError)"
            ".filter(m => /^(file|http):/.test(m.sourceName)).map(m => `${m.sourceName}: ${m.errorMessage}`)"
        )
        self.ask("Marionette:SetContext", {"value": "content"})
        return list(found)

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.ask("WebDriver:TakeScreenshot", {"full": False})["value"])

    def open(self, page: Path, place: str = "") -> None:
        """Open a page anew and wait until all segments are read."""
        self.visit((page / "index.html").as_uri() + place)

    def visit(self, url: str) -> None:
        """The same of a page at a URL."""
        self.ask("WebDriver:Navigate", {"url": "about:blank"})
        self.ask("WebDriver:Navigate", {"url": url})
        self.until("document.querySelector('main')?.dataset.state === 'ready'")

    def until(self, condition: str) -> None:
        """Wait for a condition in JavaScript."""
        end = time.monotonic() + 30
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, (condition, self.run("return document.body.innerText"))
            time.sleep(0.05)
