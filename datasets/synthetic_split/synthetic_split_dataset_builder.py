"""synthetic_split: procedural music with planted truth, for all three experiments."""

from tagjax.synthetic.builder import SyntheticBuilder


class Builder(SyntheticBuilder):
    """Renders the excerpts; nothing is read or downloaded."""
