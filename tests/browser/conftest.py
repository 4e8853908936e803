"""A browser, and a server of invented data for each test."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys

import chromium
import pytest

FAKE = pathlib.Path(__file__).with_name("fake_server.py")
FOLDER = pathlib.Path(os.environ.get("TAGJAX_BROWSER", "~/.cache/tagjax-browser")).expanduser()
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Server:
    """A server that can be killed and started again on the same port."""

    def __init__(self, folder: pathlib.Path, *command: str) -> None:
        self.folder, self._command = folder, command
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        command = [sys.executable, *self._command, f"--port={self._port}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        lines = iter(self.process.stdout.readline, "")
        self.address = next(line.split()[1] for line in lines if line.startswith("review: "))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with chromium.Chromium(program, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which looks for what is not accessible."""
    if not AXE.exists():
        pytest.skip(f"needs Node and axe-core: npm install --prefix {FOLDER} axe-core@4.14.1")
    return AXE.read_text()


@pytest.fixture
def serve(tmp_path):
    """serve(*flags) starts a server, which ends with the test: the fake one, if no `command`."""
    started = []

    def start(*flags: str, command: tuple[str, ...] = (str(FAKE),), folder=tmp_path) -> Server:
        name = "reconciliation" if command[0] == "-m" else "folder"
        started.append(Server(folder, *command, f"--{name}={folder}", *flags))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def window(browser):
    """window(address) opens a page. Afterwards no page may have had an error or asked elsewhere."""
    opened = []

    def start(address: str, **look):
        opened.append(browser.page(address, **look))
        return opened[-1]

    yield start
    complaints = [line for page in opened for line in page.complaints()]
    for page in opened:
        page.close()
    browser.events.clear()
    assert not complaints
