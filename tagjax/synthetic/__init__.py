"""Procedural music with two levels of styles and two tag systems, whose truth is known."""

from tagjax.synthetic.artists import ArtistSound, artist_sound
from tagjax.synthetic.catalogue import (
    Annotation,
    Catalogue,
    SyntheticConfig,
    Track,
    make_catalogue,
    render_excerpt,
)
from tagjax.synthetic.render import SAMPLE_RATE, render
from tagjax.synthetic.styles import GENRES, STYLES, Style
from tagjax.synthetic.systems import SYSTEMS, concepts_of

__all__ = [
    "GENRES",
    "SAMPLE_RATE",
    "STYLES",
    "SYSTEMS",
    "Annotation",
    "ArtistSound",
    "Catalogue",
    "Style",
    "SyntheticConfig",
    "Track",
    "artist_sound",
    "concepts_of",
    "make_catalogue",
    "render",
    "render_excerpt",
]
