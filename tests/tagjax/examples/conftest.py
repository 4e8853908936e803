"""What the tests of builds share."""

import pytest
import soundfile
from catalogues import (
    sound,
    write_parts,
)


@pytest.fixture
def catalogue(tmp_path):
    """A manifest and its audio: 18 tracks of 3 s, two of them broken."""
    (tmp_path / "audio" / "x").mkdir(parents=True)
    write_parts(tmp_path / "manifest")
    for k in range(18):
        path = tmp_path / "audio" / "x" / f"{k}.flac"
        soundfile.write(path, sound(k, rate=44100), 44100)
    (tmp_path / "audio" / "x" / "3.flac").write_text("no audio")
    (tmp_path / "audio" / "x" / "16.flac").unlink()
    return tmp_path
