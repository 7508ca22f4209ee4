"""A JupyterLab on loopback with folders of its own: nothing of the user's is read or written."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

START = 600.0  # seconds that the server may take to answer, on a busy machine
STOP = 20.0
FOLDERS = ("config", "data", "runtime", "settings", "workspaces", "ipython", "cache")
ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"


class Lab:
    """A server that answers: put notebooks into `root`, open `address(name)` in a browser."""

    def __init__(self, root: Path, port: int, token: str) -> None:
        self.root, self.port, self.token = root, port, token

    def address(self, name: str) -> str:
        """The page of one notebook of the root, with an empty workspace."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{name}?reset&token={self.token}"

    def answers(self) -> bool:
        request = f"http://127.0.0.1:{self.port}/api/status?token={self.token}"
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


@contextlib.contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Start JupyterLab with everything it writes under `folder`; it and its kernels end with the block."""
    lab = Lab(folder / "root", free_port(), secrets.token_hex(16))
    lab.root.mkdir(parents=True)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command(lab),
            cwd=lab.root,
            env=surroundings(folder),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt from the keyboard is pytest's to handle
        )
        try:
            wait_until_it_answers(lab, process, folder / "server.log")
            yield lab
        finally:
            end(process)


def command(lab: Lab) -> list[str]:
    """`python -m jupyterlab` and its settings; the page can be steered through `window.jupyterapp`."""
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": lab.port,
        "ServerApp.port_retries": 0,
        "ServerApp.open_browser": False,
        "ServerApp.root_dir": lab.root,
        "ServerApp.terminals_enabled": False,
        "IdentityProvider.token": lab.token,
        "LabApp.expose_app_in_browser": True,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    options = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", "jupyterlab", "--no-browser", *as_root, *options]


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of the server and its kernels: every folder of a user's replaced by an empty one."""
    made = {name: folder / name for name in FOLDERS}
    for path in made.values():
        path.mkdir(parents=True)
    page = made["config"] / "labconfig" / "page_config.json"
    page.parent.mkdir()
    page.write_text(json.dumps({"disabledExtensions": {ANNOUNCEMENTS: True}}), encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "LESSONS_", "PYTEST_"))}
    return kept | {
        "JUPYTER_CONFIG_DIR": str(made["config"]),
        "JUPYTER_DATA_DIR": str(made["data"]),
        "JUPYTER_RUNTIME_DIR": str(made["runtime"]),
        "JUPYTERLAB_SETTINGS_DIR": str(made["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(made["workspaces"]),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(made["ipython"]),
        "LESSONS_CACHE": str(made["cache"]),
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_it_answers(lab: Lab, process: subprocess.Popen, log: Path) -> None:
    end_of_patience = time.monotonic() + START
    while not lab.answers():
        if process.poll() is not None or time.monotonic() > end_of_patience:
            words = log.read_text(encoding="utf-8", errors="replace")[-3000:]
            raise RuntimeError(f"JupyterLab does not answer on port {lab.port}. Its log ends:\n{words}")
        time.sleep(0.3)


def end(process: subprocess.Popen) -> None:
    """Ask the server to end, which ends its kernels; after a while, insist."""
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def find_chromium() -> str | None:
    """The browser: the variable LESSONS_CHROMIUM, else Debian's package or another Chromium on the PATH."""
    if given := os.environ.get("LESSONS_CHROMIUM"):
        return given
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next((found for name in names if (found := shutil.which(name))), None)
