"""What a person does on the review page, and waits for."""

import json

SHOWN = "document.querySelector('#source').textContent && !document.querySelector('#pair').hidden"


def begin(window, server, **look):
    """A window with the first pair."""
    page = window(server.address, **look)
    page.until(SHOWN)
    return page


def pair(page) -> str:
    """The name of the pair on screen."""
    return page.run("location.hash").removeprefix("#/decide/")


def decide(page, key: str) -> str:
    """Presses a key, waits for the next pair, and returns the name of the decided one."""
    before = pair(page)
    page.press(key)
    page.until(f"location.hash !== '#/decide/{before}' && !document.querySelector('.saving')")
    return before


def line_says(page, text: str, seconds: float = 30) -> None:
    """Waits for the line to say something."""
    page.until(f"document.querySelector('#line').textContent.includes({json.dumps(text)})", seconds)


def listen(page) -> None:
    """Lets `loudness` know what the page plays."""
    page.run(
        """(() => {
          const context = new AudioContext();
          window.analyser = context.createAnalyser();
          analyser.fftSize = 8192;
          context.createMediaElementSource(document.querySelector("#player")).connect(analyser);
          return context.resume();
        })()"""
    )


def heard(page) -> tuple[float, float]:
    """(Hz of the loudest partial, root mean square) of what is played now."""
    page.until("document.querySelector('#player').currentTime > 0.4")
    return page.run(
        """(() => {
          const spectrum = new Float32Array(analyser.frequencyBinCount);
          analyser.getFloatFrequencyData(spectrum);
          const samples = new Float32Array(analyser.fftSize);
          analyser.getFloatTimeDomainData(samples);
          const top = spectrum.indexOf(Math.max(...spectrum));
          const loud = Math.hypot(...samples) / Math.sqrt(samples.length);
          return [top * analyser.context.sampleRate / analyser.fftSize, loud];
        })()"""
    )
