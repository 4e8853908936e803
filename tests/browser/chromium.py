"""Drives a headless Chromium by its DevTools protocol over a pipe: no package is needed for it."""

import base64
import fcntl
import json
import os
import pathlib
import select
import shlex
import subprocess
import time

KEYS = {" ": ("Space", 32), "Enter": ("Enter", 13), "Escape": ("Escape", 27), "Tab": ("Tab", 9)}


class Chromium:
    """A browser with a profile of its own. Use it in a `with` statement."""

    def __init__(self, program: str, folder: pathlib.Path) -> None:
        theirs_in, self._write = os.pipe()
        self._read, theirs_out = os.pipe()
        # Chromium reads descriptor 3 and writes 4. Copies above 20 are not overwritten by that.
        copies = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (theirs_in, theirs_out)]
        flags = [program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={folder}"]
        flags += ["--no-first-run", "--disable-gpu", "--hide-scrollbars", "--disable-sync"]
        flags += ["--disable-background-networking", "--disable-component-update", "--mute-audio"]
        flags += ["--no-sandbox", "--disable-dev-shm-usage"] if os.getuid() == 0 else []
        command = f"exec {shlex.join(flags)} 3<&{copies[0]} 4>&{copies[1]}"
        self._process = subprocess.Popen(
            ["bash", "-c", command],
            pass_fds=copies,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out, *copies):
            os.close(end)
        self._number, self._rest, self.events = 0, b"", []

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._write)
        os.close(self._read)

    def send(self, method: str, session: str = "", limit: float = 30, **values):
        """The result of a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": values}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + limit
        while True:
            answer = self._receive(end)
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _receive(self, end: float) -> dict:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            got = os.read(self._read, 1 << 20)
            assert got, "Chromium has ended"
            self._rest += got
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def page(self, address: str = "", width: int = 1280, height: int = 900) -> "Page":
        """A new window."""
        target = self.send("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        page = Page(self, target)
        page.look(width, height)
        if address:
            page.open(address)
        return page


class Page:
    """A window of the browser."""

    def __init__(self, browser: Chromium, target: str) -> None:
        self.browser, self.target = browser, target
        found = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **values):
        return self.browser.send(method, session=self.session, **values)

    def close(self) -> None:
        self.browser.send("Target.closeTarget", targetId=self.target)

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """Sets the size and the colours."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 700,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def reload(self) -> None:
        self.run("window.old = true")
        self.send("Page.reload")
        self.until("!window.old && document.readyState === 'complete'")

    def run(self, script: str):
        """The value of an expression, after its promise."""
        result = self.send(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, condition: str, seconds: float = 30):
        """Waits for an expression to be true, and returns its value."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(condition)
            if value:
                return value
            assert time.monotonic() < end, f"never came true: {condition}\n{self.text()}"
            time.sleep(0.03)

    def text(self, element: str = "body") -> str:
        return self.run(f"document.querySelector({json.dumps(element)}).innerText") or ""

    def press(self, key: str) -> None:
        """A key goes down and up again, as if a person pressed it."""
        code, number = KEYS.get(key, (key, ord(key[0].upper()) if len(key) == 1 else 0))
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        values = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **values)
        self.send("Input.dispatchKeyEvent", type="keyUp", **values)

    def write(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def click(self, element: str) -> None:
        """A click in the middle of an element."""
        x, y = self.run(
            f"""(() => {{
              const found = document.querySelector({json.dumps(element)});
              found.scrollIntoView({{block: "center"}});
              const box = found.getBoundingClientRect();
              return [box.left + box.width / 2, box.top + box.height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            values = {"x": x, "y": y, "button": "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, **values)

    def picture(self, path: pathlib.Path) -> None:
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self) -> list[str]:
        """Errors of scripts, refusals of the content policy, and requests to other hosts."""
        self.run("1")
        found = []
        for event in self.browser.events:
            values = event.get("params", {})
            if event.get("sessionId") != self.session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(values["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded" and values["entry"]["source"] != "network":
                found.append(f"{values['entry']['source']}: {values['entry']['text']}")
            elif event["method"] == "Network.requestWillBeSent":
                address = values["request"]["url"]
                if not address.startswith(("http://127.0.0.1:", "data:")):
                    found.append(address)
        return found
