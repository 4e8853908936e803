"""Coverage-guided fuzzing of every parser: python fuzz_parsers.py [SECONDS] [PARSER].

Needs atheris (pip install -e .[fuzz]). Starts from the valid files of parsers.py; whatever is
neither read nor refused in one line ends it with exit code 1, and the input is kept in a folder
for temporary files, which the last lines name.
"""

import hashlib
import pathlib
import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["tagjax", "csv", "json", "zipfile", "gzip", "mutagen"]):
    import parsers

    from tagjax.manifest import lists  # noqa: F401 (instrumented)
    from tagjax.similarity import tables  # noqa: F401 (instrumented)

NAMES = sorted(parsers.PARSERS)


def main() -> None:
    """Fuzzes for so many seconds."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    chosen = sys.argv[2:] or NAMES
    tokens = pathlib.Path(tempfile.mkdtemp(prefix="fuzz_parsers."))
    folders = {name: tokens / name.replace(" ", "_") for name in chosen}
    corpus = tokens / "corpus"
    corpus.mkdir()
    targets = [(name, file) for name in chosen for file in sorted(parsers.PARSERS[name].content)]
    for k, (name, file) in enumerate(targets):
        (corpus / f"{k}").write_bytes(bytes([k]) + parsers.PARSERS[name].content[file])
    words = [token for token in parsers.TOKENS if 0 < len(token) < 60]
    lines = ("".join(f"\\x{byte:02x}" for byte in token) for token in words)
    (tokens / "words").write_text("".join(f'"{line}"\n' for line in lines))

    def one(data: bytes) -> None:
        if not data:
            return
        name, file = targets[data[0] % len(targets)]
        parsers.attempt(name, folders[name], {file: data[1:]})

    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-max_total_time={seconds}",
            f"-dict={tokens / 'words'}",
            f"-artifact_prefix={tokens}/",
            "-max_len=20000",
            "-rss_limit_mb=2048",
            "-timeout=30",
            f"-seed={int(hashlib.sha256(b'tagjax').hexdigest()[:6], 16)}",
            "-verbosity=0",
            "-print_final_stats=1",
        ],
        one,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
