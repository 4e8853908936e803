"""Damages files as a disk or a kill may do."""


def flip(path):
    """Flips one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    """Cuts the second half off."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
