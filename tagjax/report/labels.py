"""Names in figures: how they are shortened, in which fonts they are drawn, and where.

Matplotlib draws a letter in the first font of a list that has it. `families` makes that list from
the fonts that are installed.
"""

import contextlib
import functools
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import font_manager

from tagjax.base.text import clean

FONT = "DejaVu Sans"  # comes with Matplotlib, and has Latin, Greek and Cyrillic

_PREFERRED = (
    "Noto Sans CJK JP",
    "Noto Sans CJK",
    "Noto Sans",
    "Noto",
    "Droid Sans",
    "Arial Unicode",
)


def families(names: Iterable[str]) -> list[str]:
    """The fonts for drawing names, for Matplotlib's `fontfamily`.

    >>> families(["bossa nova", "ска"])
    ['DejaVu Sans']
    """
    return list(_covering(frozenset("".join(map(clean, names))))[0])


def warn_of_missing(names: Iterable[str]) -> None:
    """Gives one warning if some names have letters that no installed font has."""
    cleaned = [clean(name) for name in names]
    missing = _covering(frozenset("".join(cleaned)))[1]
    without = [name for name in cleaned if missing.intersection(name)]
    if without:
        many = f"{len(without)} tags have" if len(without) > 1 else "1 tag has"
        warnings.warn(
            f"{many} letters that no installed font has, such as {without[0]!r}: figures in PNG "
            "show boxes for them; fonts of most scripts are in the packages fonts-noto-core and "
            "fonts-noto-cjk",
            stacklevel=3,
        )


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Silences Matplotlib's warnings about missing letters and fonts; see `warn_of_missing`."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from")
            yield
    finally:
        logger.setLevel(level)


def place_labels(
    points: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.float64],
    frame: tuple[float, float, float, float],
    first: npt.NDArray[np.bool_],
    unit: float = 1,
) -> npt.NDArray[np.float64]:
    """Places a label near each marker, so that it covers neither markers nor other labels.

    The method is greedy and not random. The labels are placed one after another, each at the free
    place nearest to its marker. Labels in `first` precede the others, and labels in a crowd precede
    those with room.

    Args:
      points: [N, 2], centres of the markers.
      radii: [N], radii of the markers.
      sizes: [N, 2], width and height of the labels.
      frame: x0, y0, x1, y1 of the frame in which the labels must stay.
      first: bool [N], labels to place first.
      unit: the step of distance.

    Returns:
      float64 [N, 2], the offset of each label's centre from its marker's centre. A label without a
      free place is put where it covers least.
    """
    taken = np.concatenate([points - radii[:, None], points + radii[:, None]], axis=1)
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    crowd = (apart < np.median(sizes[:, 0]) * 1.5).sum(axis=1)
    directions = _directions()
    sides = np.sign(np.round(directions, 9))  # sides of the label that face the marker
    steps = unit * np.concatenate([np.arange(2, 12), np.geomspace(12, 400, 40)])
    offsets = np.zeros_like(points)
    for i in np.lexsort((np.arange(len(points)), -crowd, ~first)):
        least = np.inf
        for step in steps:
            centres = (radii[i] + step) * directions + sides * sizes[i] / 2
            low = points[i] + centres - sizes[i] / 2 - unit
            high = points[i] + centres + sizes[i] / 2 + unit
            covered = _covered(low, high, taken, frame)
            best = int(np.argmin(covered))
            if covered[best] < least:
                least, offsets[i] = covered[best], centres[best]
            if least == 0:
                break
        box = points[i] + offsets[i] + np.array([[-0.5], [0.5]]) * sizes[i]
        taken = np.vstack([taken, box.reshape(1, 4)])
    return offsets


def _directions() -> npt.NDArray[np.float64]:
    """Unit vectors [24, 2]; the horizontal and vertical ones come first and win ties."""
    angles = np.arange(24) / 24 * 2 * np.pi
    angles = angles[np.argsort(np.minimum(np.abs(np.sin(2 * angles)), 0.5), kind="stable")]
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _covered(
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    taken: npt.NDArray[np.float64],
    frame: tuple[float, float, float, float],
) -> npt.NDArray[np.float64]:
    """How much K boxes cover of the M taken ones, and how far they extend beyond the frame."""
    shared = np.minimum(high[:, None], taken[:, 2:]) - np.maximum(low[:, None], taken[:, :2])
    outside = np.maximum(frame[:2] - low, 0) + np.maximum(high - frame[2:], 0)
    return np.prod(np.maximum(shared, 0), axis=2).sum(axis=1) + 1e3 * outside.sum(axis=1)


@functools.lru_cache(maxsize=64)
def _covering(letters: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """(fonts that have the letters, the letters that no font has)."""
    chosen, missing = [FONT], letters - _letters_of(font_manager.findfont(FONT)) - {" "}
    while missing:
        fonts = _installed()
        family, path = max(fonts, key=lambda font: len(missing & _letters_of(font[1])))
        if missing.isdisjoint(_letters_of(path)):
            break
        chosen.append(family)
        missing -= _letters_of(path)
    return tuple(chosen), missing


@functools.lru_cache(maxsize=1)
def _installed() -> Sequence[tuple[str, str]]:
    """(family, file) of the upright regular fonts, the preferred ones first."""
    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    for path in font_manager.findSystemFonts():  # Matplotlib's list may be years old.
        if path not in known:
            with contextlib.suppress(Exception):  # FreeType raises anything on a damaged font.
                manager.addfont(path)
    usual = {
        (entry.name, entry.fname)
        for entry in manager.ttflist
        if (entry.style, entry.weight, entry.stretch) == ("normal", 400, "normal")
        and not entry.name.startswith("Last Resort")
        and manager.findfont(entry.name, fallback_to_default=False) == entry.fname
    }

    def preference(font: tuple[str, str]) -> tuple[int, str, str]:
        place = (k for k, start in enumerate(_PREFERRED) if font[0].startswith(start))
        return next(place, len(_PREFERRED)), *font

    return sorted(usual, key=preference)


@functools.cache
def _letters_of(path: str) -> frozenset[str]:
    """The letters that Matplotlib can draw with a font: none if the font has only bitmaps."""
    try:
        font = font_manager.get_font(path)
        font.set_size(10, 100)
        codes = font.get_charmap()
        font.load_char(next(iter(codes)))
    except Exception:  # FreeType raises anything on a font that it cannot draw.
        return frozenset()
    return frozenset(map(chr, codes))
