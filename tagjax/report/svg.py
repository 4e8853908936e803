"""Figures as small SVG for a page, with unique ids and data for `report.js`.

Matplotlib writes the SVG. This module finds artists by their `gid` and adds what Matplotlib cannot
write: a tooltip, the tag that the artist stands for, and the series that a click in the legend
hides.
"""

import base64
import dataclasses
import functools
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import PIL.Image
from matplotlib.figure import Figure

from tagjax.base.text import clean
from tagjax.report import labels

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FAMILY = re.compile(r"font-family: ([^;]*)(?:; |$)")
_UPRIGHT = re.compile(r"rotate\(-?0 ")
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_PNG = "data:image/png;base64,"
_TEXT, _GROUP, _USE, _IMAGE = (f"{{{_SVG}}}{tag}" for tag in ("text", "g", "use", "image"))
ET.register_namespace("", _SVG)
ET.register_namespace("xlink", _XLINK)


@dataclasses.dataclass(frozen=True)
class Note:
    """Information that a page has about an artist.

    Attributes:
      tooltip: lines of the tooltip; empty for no tooltip.
      data: {name: text} for attributes `data-name`.
      points: for an artist with many markers, the tooltip of each marker in order.
    """

    tooltip: Sequence[str] = ()
    data: Mapping[str, str] = dataclasses.field(default_factory=dict)
    points: Sequence[Sequence[str]] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Drawing:
    """A figure, drawn once.

    Attributes:
      figure: the Matplotlib figure; its texts are `clean`.
      name: prefix of the ids in its SVG; different for each figure of a page.
      notes: {`gid` of an artist: its note}.
    """

    figure: Figure
    name: str
    notes: Mapping[str, Note] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def svg(self) -> str:
        """The SVG; the same figure always gives the same text.

        Text is kept as text, so that a browser draws it in the reader's fonts in any script.

        Raises:
          ValueError: an artist does not have as many markers as its note has points.
        """
        written = io.BytesIO()
        options: Any = {"svg.hashsalt": "tagjax", "svg.fonttype": "none"}
        with matplotlib.rc_context(options), labels.quietly():
            self.figure.savefig(written, format="svg", metadata={"Date": None})
        root = ET.fromstring(written.getvalue())
        for element in root.findall(f"{{{_SVG}}}metadata") + root.findall(f"*[{{{_SVG}}}style]"):
            root.remove(element)
        for element in list(root.iter()):
            if note := self.notes.get(element.get("id", "")):
                _add_note(element, note)
        _name_ids(root, re.sub(r"[^A-Za-z0-9]+", "-", self.name))
        _set_fonts(root)
        for image in root.iter(_IMAGE):
            image.set(_HREF, _PNG + _packed(image.get(_HREF, "").removeprefix(_PNG)))
        _shorten(root)
        return ET.tostring(root, encoding="unicode") + "\n"


def _add_note(element: ET.Element, note: Note) -> None:
    for key, value in note.data.items():
        element.set(f"data-{key}", clean(value))
    if note.tooltip:
        _add_tooltip(element, note.tooltip)
    if note.points:
        markers = list(element.iter(_USE))
        for marker, lines in zip(markers, note.points, strict=True):
            _add_tooltip(marker, lines)


def _add_tooltip(element: ET.Element, lines: Sequence[str]) -> None:
    title = ET.Element(f"{{{_SVG}}}title")
    title.text = "\n".join(map(clean, lines))
    element.insert(0, title)


def _name_ids(root: ET.Element, name: str) -> None:
    """Keeps only the ids that are referred to, and puts `name` before them."""
    used = {element.get(_HREF, "")[1:] for element in root.iter()}
    for element in root.iter():
        used.update(
            match for value in element.attrib.values() for match in _REFERENCE.findall(value)
        )
    for element in root.iter():
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.set("id", f"{name}-{identity}")
        for key, value in element.attrib.items():
            if key == _HREF and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))


def _set_fonts(root: ET.Element) -> None:
    """Lists the fonts once, for all texts; fonts of similar width come first."""
    families = dict.fromkeys([repr(labels.FONT), "Verdana"])
    usual = {repr(family) for family in matplotlib.rcParams["font.sans-serif"]} | {"sans-serif"}
    for element in root.iter(_TEXT):
        style = element.get("style", "")
        for match in _FAMILY.findall(style):
            families |= dict.fromkeys(f for f in match.split(", ") if f not in usual)
        element.set("style", _FAMILY.sub("", style))
        if _UPRIGHT.match(element.get("transform", "")):
            del element.attrib["transform"]
    fonts = ", ".join([*families, "sans-serif"])
    root.set("style", f"font-family: {fonts}; stroke-linejoin: round; stroke-linecap: butt")


def _packed(png: str) -> str:
    """A PNG image in base64, with a palette if it has few colours: a third of Matplotlib's size."""
    pixels = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))
    colours, cells = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    if len(colours) > 256:
        return png.replace("\n", "")
    image = PIL.Image.fromarray(cells.reshape(pixels.shape[:2]).astype(np.uint8), "P")
    image.putpalette(colours.tobytes(), "RGBA")
    written = io.BytesIO()
    image.save(written, "png", optimize=True)
    return base64.b64encode(written.getvalue()).decode()


def _shorten(element: ET.Element) -> None:
    """Removes white space, invisible digits, and groups without attributes."""
    for key in ("d", "x", "y", *(["transform"] if element.tag == _TEXT else [])):
        if key in element.attrib:
            text = " ".join(element.attrib[key].split())
            element.set(key, _NUMBER.sub(lambda match: f"{round(float(match[0]), 2):g}", text))
    if not (element.text or "").strip():
        element.text = None
    element.tail = None
    children: list[ET.Element] = []
    for child in element:
        _shorten(child)
        bare = child.tag == _GROUP and not child.attrib
        children += child if bare else [child]
    element[:] = children
