"""What a disk or a kill does to a file."""


def flip(path):
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    """The second half is lost."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
