"""synthetic_split: procedural music with planted truth, for all three experiments."""

from tagjax.synthetic.builder import SyntheticBuilder


class Builder(SyntheticBuilder):
    """Renders the excerpts; it reads and downloads nothing."""
