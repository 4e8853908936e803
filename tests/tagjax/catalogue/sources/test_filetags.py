"""Tags as the ID3 and APEv2 documents lay them out, byte by byte, and as mutagen writes them."""

import struct
import subprocess
import sys

import mutagen
import mutagen.apev2
import mutagen.asf
import mutagen.id3
import mutagen.mp4
import numpy as np
import pytest
import soundfile
from running import ROOT

from tagjax.base.errors import InputError
from tagjax.catalogue import sources
from tagjax.catalogue.sources import filetags


@pytest.fixture
def song(tmp_path):
    """song(extension): a file of one second, without tags."""

    def make(extension):
        path = tmp_path / f"x.{extension}"
        form = {"ogg": "OGG", "oga": "OGG"}.get(extension)
        subtype = "VORBIS" if form else None
        soundfile.write(path, 0.1 * np.sin(np.arange(44100) / 20), 44100, subtype, format=form)
        return path

    return make


def synchsafe(number):
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def frame(name, content, version=3, flags=0):
    if version == 2:
        return name + struct.pack(">I", len(content))[1:] + content
    size = synchsafe(len(content)) if version == 4 else struct.pack(">I", len(content))
    return name + size + struct.pack(">H", flags) + content


def id3(*frames, version=3, flags=0):
    body = b"".join(frames)
    return b"ID3" + bytes([version, 0, flags]) + synchsafe(len(body)) + body


def put(path, head=b"", tail=b""):
    path.write_bytes(head + path.read_bytes() + tail)
    return filetags.read(path)


def tcon(text, version=3, encoding=0, **more):
    name = b"TCO" if version == 2 else b"TCON"
    codec = ("latin-1", "utf-16", "utf-16-be", "utf-8")[encoding]
    return frame(name, bytes([encoding]) + text.encode(codec), version, **more)


@pytest.mark.parametrize(
    ("version", "text", "genres"),
    [
        (3, "(17)(6)", ("Rock", "Grunge")),
        (3, "(51)(39)", ("Techno-Industrial", "Noise")),
        (3, "(4)Eurodisco", ("Disco", "Eurodisco")),
        (3, "(17)Psych", ("Rock", "Psych")),
        (3, "(RX)", ("Remix",)),
        (3, "(52)(RX)", ("Electronic", "Remix")),
        (3, "((un)common noise", ("(un)common noise",)),
        (3, "House/Techno", ("House/Techno",)),
        (2, "(13)Pop", ("Pop",)),
        (4, "21\0RX\0CR", ("Ska", "Remix", "Cover")),
        (4, "House\0Acid\0Dub", ("House", "Acid", "Dub")),
        (4, "80s", ("80s",)),
        (4, "2012", ("2012",)),
        (3, "Dub\0", ("Dub",)),
        (3, "()", ("()",)),
    ],
)
def test_all_forms_of_a_genre_in_id3(song, version, text, genres):
    assert put(song("mp3"), id3(tcon(text, version), version=version)).genres == genres


def test_several_frames_are_several_genres(song):
    tags = put(song("mp3"), id3(tcon("House", 4), tcon("Garage", 4), version=4))
    assert tags.genres == ("House", "Garage")


def unsynchronised(content):
    return content.replace(b"\xff\x00", b"\xff\x00\x00").replace(b"\xff\xfe", b"\xff\x00\xfe")


@pytest.mark.parametrize(
    "head",
    [
        id3(unsynchronised(tcon("Dub", 3, 1)), version=3, flags=0x80),
        id3(
            frame(b"TCON", unsynchronised(b"\1" + "Dub".encode("utf-16")), 4, 0x02),
            version=4,
            flags=0x80,
        ),
        id3(frame(b"TCON", synchsafe(4) + b"\3Dub", 4, 0x01), version=4),
        id3(struct.pack(">IHI", 6, 0, 0) + tcon("Dub"), version=3, flags=0x40),
        id3(tcon("\ufeffDub", 3, 1)),
        id3(tcon("Dub", 4, 2), version=4),
        id3(tcon("Du\u200bb ", 4, 3), version=4),
    ],
    ids=["v3 whole", "v4 frame", "data length", "extended", "two marks", "no mark", "zero width"],
)
def test_id3_however_it_is_encoded(song, head):
    tags = put(song("mp3"), head)
    assert (tags.genres, tags.damaged) == (("Dub",), ())


def test_utf16_with_one_mark_for_several_values(song):
    content = b"\1\xfe\xff" + "Dub\0Ska\0音楽".encode("utf-16-be")
    tags = put(song("mp3"), id3(frame(b"TCON", content, 4), version=4))
    assert tags.genres[:2] == ("Dub", "Ska")


@pytest.mark.parametrize("value", ["Dub\x07", "Du\x1bb", "Du\ufffdb", "\x9fDub"])
def test_what_was_decoded_wrongly_is_not_taken(song, value):
    head = id3(tcon(f"Ska\0{value}", 4, 3), frame(b"TPE1", b"\3A", 4), version=4)
    tags = put(song("mp3"), head)
    assert (tags.genres, tags.artist) == (("Ska",), "A")
    assert tags.damaged == (("genre", value),)
    path = song("ogg")
    file = mutagen.File(path)
    file["artist"] = [value]
    file.save()
    tags = filetags.read(path)
    assert (tags.artist, tags.damaged) == ("", (("artist", value),))


def v1(genre, artist=b"Old"):
    return b"TAG" + bytes(30) + artist.ljust(30, b"\0") + bytes(64) + bytes([genre])


def test_id3v1_is_taken_where_nothing_else_says_more(song):
    tags = put(song("mp3"), b"", v1(17))
    assert (tags.artist, tags.genres, tags.unset_genre) == ("Old", ("Rock",), False)
    tags = put(song("mp3"), id3(frame(b"TPE1", b"\0New")), v1(16))
    assert (tags.artist, tags.genres) == ("New", ("Reggae",))
    tags = put(song("mp3"), id3(tcon("Dub")), v1(16))
    assert (tags.artist, tags.genres) == ("Old", ("Dub",))
    assert put(song("mp3"), b"", v1(255)).genres == ()


def test_the_genre_0_of_id3v1_was_mostly_never_set(song):
    tags = put(song("mp3"), b"", v1(0))
    assert (tags.artist, tags.genres, tags.unset_genre) == ("Old", (), True)
    tags = put(song("mp3"), id3(frame(b"TPE1", b"\0New")), v1(0))
    assert (tags.artist, tags.genres, tags.unset_genre) == ("New", (), True)
    tags = put(song("mp3"), id3(tcon("(0)")), v1(0))
    assert (tags.genres, tags.unset_genre) == (("Blues",), False)  # Of ID3v2, somebody meant it.


def ape(**items):
    body = b"".join(
        struct.pack("<II", len(value), 0) + name.encode() + b"\0" + value
        for name, value in items.items()
    )
    footer = struct.pack("<IIII", 2000, len(body) + 32, len(items), 0) + bytes(8)
    return body + b"APETAGEX" + footer


@pytest.mark.parametrize("tail", [b"", v1(0), v1(17)])
def test_apev2_counts_more_than_id3v1_and_less_than_id3v2(song, tail):
    items = {"Genre": b"Drone\0Noise", "Artist": b"Ape", "Album Artist": b"All"}
    tags = put(song("mp3"), b"", ape(**items) + tail)
    assert (tags.genres, tags.artist, tags.album_artist) == (("Drone", "Noise"), "Ape", "All")
    tags = put(song("mp3"), id3(tcon("Dub")), ape(**items) + tail)
    assert (tags.genres, tags.artist) == (("Dub",), "Ape")
    tags = put(song("mp3"), id3(tcon("Dub")), ape(REPLAYGAIN_TRACK_GAIN=b"-1 dB") + tail)
    assert tags.genres == ("Dub",)


@pytest.mark.parametrize("name", ["ALBUMARTIST", "ALBUM ARTIST", "ALBUM_ARTIST", "Album Artist"])
@pytest.mark.parametrize("extension", ["ogg", "flac", "mp3"])
def test_the_album_artist_under_all_its_names(song, extension, name):
    path = song(extension)
    if extension == "mp3":
        file = mutagen.id3.ID3()
        file.add(mutagen.id3.TXXX(3, name, ["All"]))
        file.add(mutagen.id3.TPE1(3, ["All feat. One"]))
        file.save(path)
    else:
        file = mutagen.File(path)
        file[name], file["artist"] = "All", "All feat. One"
        file.save()
    tags = filetags.read(path)
    assert (tags.artist, tags.album_artist) == ("All feat. One", "All")


def test_artists_are_not_the_artist(song):
    path = song("ogg")
    file = mutagen.File(path)
    file.tags.extend([("ARTISTS", "Bo"), ("ARTISTS", "Ann"), ("ARTIST", "Ann & Bo")])
    file.save()
    assert filetags.read(path).artist == "Ann & Bo"


@pytest.mark.parametrize("word", ["Unknown Artist", "<unknown>", "", "n/a", "\u200b"])
def test_words_for_none(song, word):
    path = song("flac")
    file = mutagen.File(path)
    file["artist"] = file["album"] = file["albumartist"] = word
    file["title"] = "Unknown"  # As good a title as others.
    file.save()
    tags = filetags.read(path)
    assert (tags.artist, tags.album, tags.album_artist, tags.title) == ("", "", "", "Unknown")


def test_wav_with_id3_and_with_list_info(song):
    path = song("wav")
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(mutagen.id3.TCON(3, ["(17)Dub"]))
    file.save()
    assert filetags.read(path).genres == ("Rock", "Dub")
    for form, subtype in [("WAV", "PCM_16"), ("RF64", "PCM_16"), ("CAF", "PCM_16")]:
        with soundfile.SoundFile(path, "w", 8000, 1, subtype, format=form) as file:
            file.write(np.zeros(800))
            file.artist, file.album, file.genre = "Ann Other", "One", "Dub; Ska"
        tags = filetags.read(path)
        assert (tags.artist, tags.album, tags.genres) == ("Ann Other", "One", ("Dub; Ska",))


def test_tags_of_formats_whose_audio_is_not_read(tmp_path):
    path = tmp_path / "x.ape"
    path.write_bytes(b"MAC " + struct.pack("<H", 3990) + bytes(200) + ape(Genre=b"Dub\0Ska"))
    assert filetags.read(path).genres == ("Dub", "Ska")
    path = tmp_path / "x.aac"
    path.write_bytes(id3(tcon("Dub")) + b"\xff\xf1\x50\x80\x02\x1f\xfc" * 40)
    assert filetags.read(path).genres == ("Dub",)


def test_damaged_and_foreign_files(tmp_path):
    for name, content, reason in [
        ("a.txt", b"text " * 100, filetags.UNKNOWN_FORMAT),
        ("a.flac", b"text " * 100, "not a valid FLAC file"),
        ("a.mp3", b"\xff\xfb\x90\0" + bytes(range(200)), "can't sync to MPEG frame"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(filetags.TagError, match=reason):
            filetags.read(tmp_path / name)


def test_any_damage_is_an_error_of_ours_or_none(song):
    heads = {
        "mp3": id3(tcon("(17)Dub", 4, 3), frame(b"TPE1", b"\3A", 4), version=4),
        "flac": b"",
        "ogg": b"",
    }
    draw = np.random.default_rng(0)
    for extension, head in heads.items():
        path = song(extension)
        if not head:
            file = mutagen.File(path)
            file["genre"], file["artist"] = ["Dub", "Ska"], ["A"]
            file.save()
        content = head + path.read_bytes() + ape(Genre=b"Dub") + v1(3)
        for _ in range(60):
            damaged = bytearray(content)
            for place in draw.integers(0, 200, 3):
                damaged[place] = draw.integers(256)
            path.write_bytes(damaged)
            try:
                tags = filetags.read(path)
            except filetags.TagError:
                pass
            else:
                assert all(genre.isprintable() for genre in tags.genres)


def test_without_mutagen_one_line_says_how_to_get_it(song, tmp_path, monkeypatch):
    song("mp3")
    monkeypatch.setitem(sys.modules, "mutagen", None)
    with pytest.raises(InputError, match=r"read by mutagen; pip install -e \.\[library\]"):
        sources.annotate("library", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mutagen_is_imported_when_a_library_is_read_alone():
    code = "import sys, tagjax.catalogue.sources; sys.exit('mutagen' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
