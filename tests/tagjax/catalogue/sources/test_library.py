"""Tags written by mutagen, the tag library of beets and Picard, into audio of soundfile."""

import os
import struct

import mutagen
import mutagen.id3
import mutagen.mp4
import numpy as np
import pytest
import soundfile

from tagjax.base.errors import InputError
from tagjax.catalogue.sources import genrefields, library
from tagjax.catalogue.sources.records import Annotation, NoGenre, Noted, Rejected, tags_of

RECORDING = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"
FORMS = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "wav": ("WAV", "PCM_16"),
}


def sound(path, seconds=1.0):
    """A tone in the form that the extension says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".m4a":
        path.write_bytes(mp4(seconds))
        return path
    form, subtype = FORMS[path.suffix[1:]]
    rate = 48000
    wave = 0.1 * np.sin(0.05 * np.arange(int(seconds * rate)))
    soundfile.write(path, wave, rate, format=form, subtype=subtype)
    return path


def atom(name, *parts):
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def mp4(seconds):
    """The boxes of an MP4 file that say what is in it, and no audio."""
    rate = 48000
    times = struct.pack(">IIIII", 0, 0, 0, rate, int(seconds * rate))
    table = atom(b"stsd", struct.pack(">II", 0, 0))
    media = atom(
        b"mdia",
        atom(b"mdhd", times, bytes(4)),
        atom(b"hdlr", bytes(8), b"soun", bytes(13)),
        atom(b"minf", atom(b"stbl", table)),
    )
    head = atom(b"mvhd", times, bytes(80))
    return b"".join(
        [
            atom(b"ftyp", b"M4A \0\0\0\0M4A mp42"),
            atom(b"moov", head, atom(b"trak", media)),
            atom(b"mdat", bytes(16)),
        ]
    )


def tag_id3(path, version=4, genres=("Rock",), separator="/", **texts):
    """ID3v2 as mutagen writes it."""
    tags = mutagen.id3.ID3()
    frames = {"artist": "TPE1", "albumartist": "TPE2", "album": "TALB", "title": "TIT2"}
    tags.add(mutagen.id3.TCON(encoding=3, text=list(genres)))
    for name, text in texts.items():
        tags.add(getattr(mutagen.id3, frames[name])(encoding=3, text=[text]))
    tags.add(mutagen.id3.UFID(owner="http://musicbrainz.org", data=RECORDING.encode()))
    tags.save(path, v2_version=version, v23_sep=separator)


def tag(path, genres=("Rock",), **texts):
    """Vorbis comments or MP4 as mutagen writes them."""
    file = mutagen.File(path)
    if path.suffix == ".m4a":
        file.add_tags()
        names = {"artist": "\xa9ART", "albumartist": "aART", "album": "\xa9alb", "title": "\xa9nam"}
        file["\xa9gen"] = list(genres)
        file["----:com.apple.iTunes:MusicBrainz Track Id"] = [RECORDING.encode()]
    else:
        names = {name: name for name in ("artist", "albumartist", "album", "title")}
        file["genre"] = list(genres)
        file["musicbrainz_trackid"] = [RECORDING]
    for name, text in texts.items():
        file[names[name]] = [text]
    file.save()


def read(folder, **config):
    return list(library.read(folder, library.Config(**config), lambda _: None))


def read_one(folder, **config):
    """The one file's own row; that its audio cannot be decoded is another."""
    *noted, row = read(folder, **config)
    assert all("audio cannot be decoded here" in note.reason for note in noted)
    return row


TEXTS = {
    "artist": "Nina  Sø feat. B",
    "albumartist": "Nina Sø",
    "album": "Déjà, vu",
    "title": "音楽 “1”",
}


@pytest.mark.parametrize("form", ["flac", "ogg", "opus", "m4a", "mp3 3", "mp3 4"])
def test_what_mutagen_writes_is_read(tmp_path, form):
    form, _, version = form.partition(" ")
    path = sound(tmp_path / "lib" / "a b" / f"x.{form}", 2.0)
    if version:
        tag_id3(path, int(version), ["Drum & Bass", "R&B"], separator="; ", **TEXTS)
    else:
        tag(path, ["Drum & Bass", "R&B"], **TEXTS)
    row = read_one(tmp_path / "lib")
    assert tags_of(row) == ("Drum & Bass", "R&B")
    assert row.track_id == f"a b/x.{form}"
    if form == "m4a":  # libsndfile has no AAC.
        assert row.path == ""
        assert row.duration is None
    else:
        assert row.path == row.track_id
        assert row.duration == pytest.approx(mutagen.File(path).info.length, abs=0.1)
    assert (row.artist, row.title, row.album) == ("Nina Sø feat. B", "音楽 “1”", "Déjà, vu")
    assert row.artist_id == "nina sø"  # The guest does not make another artist.
    assert row.album_id == "nina sø / déjà, vu"
    assert row.recording_id == RECORDING


@pytest.mark.parametrize(
    ("version", "text", "expected"),
    [
        (3, "(17)", ("Rock",)),
        (4, "17", ("Rock",)),
        (4, "(8)", ("Jazz",)),
        (3, "Techno", ("Techno",)),
    ],
)
def test_numbers_in_id3v2_are_genres(tmp_path, version, text, expected):
    tag_id3(sound(tmp_path / "x.mp3"), version, [text], artist="A")
    assert tags_of(read_one(tmp_path)) == expected


def test_id3v1_alone(tmp_path):
    path = sound(tmp_path / "x.mp3")
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.TCON(encoding=0, text=["Reggae"]))
    tags.add(mutagen.id3.TPE1(encoding=0, text=["A"]))
    tags.save(path, v1=mutagen.id3.ID3v1SaveOptions.CREATE)
    mutagen.id3.delete(path, delete_v1=False, delete_v2=True)
    assert path.read_bytes()[-128:-125] == b"TAG"
    assert path.read_bytes()[-1] == mutagen.id3.TCON.GENRES.index("Reggae")
    assert tags_of(read_one(tmp_path)) == ("Reggae",)


@pytest.mark.parametrize(
    ("number", "genres"),
    [(1 + mutagen.id3.TCON.GENRES.index("Funk"), ("Funk",)), (1, ("Blues",)), (0, None)],
)
def test_mp4_gnre_is_a_number_from_1(tmp_path, number, genres):
    path = sound(tmp_path / "x.m4a")
    tag(path, ["placeholder"], artist="A")
    old = atom(b"\xa9gen", atom(b"data", struct.pack(">II", 1, 0), b"placeholder"))
    new = atom(b"gnre", atom(b"data", struct.pack(">IIH", 0, 0, number)))
    new += atom(b"free", bytes(len(old) - len(new) - 8))
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    row = read_one(tmp_path)
    assert (row.reason == "no genre") if genres is None else (tags_of(row) == genres)


def test_the_last_genre_of_mp4_can_be_written_in_letters(tmp_path):
    tag(sound(tmp_path / "x.m4a"), [mutagen.id3.TCON.GENRES[-1]], artist="A")
    assert tags_of(read_one(tmp_path)) == (mutagen.id3.TCON.GENRES[-1],)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rock", ["Rock"]),
        ("Rock; Pop;Soul", ["Rock", "Pop", "Soul"]),
        ("Rock, Pop", ["Rock", "Pop"]),
        ("Rock|Pop", ["Rock", "Pop"]),
        ("Rock / Pop", ["Rock", "Pop"]),
        ("Rock/Pop", ["Rock/Pop"]),
        ("Hip-Hop/Rap", ["Hip-Hop/Rap"]),
        ("R&B", ["R&B"]),
        ("Drum & Bass", ["Drum & Bass"]),
        ("R & B;; ,", ["R & B"]),
        ("Folk, World, & Country", ["Folk, World, & Country"]),
        ("Jazz, folk, world, & country; Bop", ["Jazz", "folk, world, & country", "Bop"]),
        ("Electronic; Funk / Soul, Disco", ["Electronic", "Funk / Soul", "Disco"]),
        ("Folk, World", ["Folk", "World"]),
        ("  \n ", []),
    ],
)
def test_one_field_is_split_sensibly(tmp_path, text, expected):
    config = library.Config()
    whole = ("Folk, World, & Country", "Funk / Soul")
    assert genrefields.split_genres(text, config.separators, whole) == expected
    if text.strip():
        tag(sound(tmp_path / "x.flac"), [text], artist="A")
        assert list(read_one(tmp_path).styles) == expected  # Discogs's names are known.


def test_separators_and_whole_names_are_for_the_user_to_say(tmp_path):
    tag(sound(tmp_path / "x.flac"), ["Rock/Pop, Singer/Songwriter"], artist="A")
    row = read_one(tmp_path, separators=("/",), whole=("singer/songwriter",))
    assert row.styles == ("Rock", "Pop, Singer", "Songwriter")
    row = read_one(tmp_path, separators=("/", ","), whole=("singer/songwriter",))
    assert row.styles == ("Rock", "Pop", "Singer/Songwriter")
    with pytest.raises(InputError, match="--separator"):
        library.Config(separators=("",))


def test_of_a_compilation_the_artist_is_the_track_s(tmp_path):
    for k, artist in enumerate(["One", "Two"]):
        path = sound(tmp_path / f"{k}.ogg")
        tag(path, artist=artist, albumartist="Various Artists", album="Hits")
    rows = read(tmp_path)
    assert [row.artist_id for row in rows] == ["one", "two"]
    assert len({row.album_id for row in rows}) == 1


def test_albums_of_one_title_by_two_artists_are_two(tmp_path):
    for k, artist in enumerate(["One", "Two"]):
        tag(sound(tmp_path / f"{k}.ogg"), artist=artist, album="Greatest Hits")
    tag(sound(tmp_path / "2.ogg"), artist="Two")
    albums = [row.album_id for row in read(tmp_path)]
    assert len(set(albums)) == 3
    assert albums[2] == ""


def test_what_cannot_be_used_is_said_of_each_file(tmp_path):
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "text.flac").write_text("this is no audio")
    (tmp_path / "text.m4a").write_text("\xff\xfe this is no audio")
    (tmp_path / "cover.jpg").write_bytes(b"x")
    (tmp_path / "._x.mp3").write_bytes(b"x")
    tag(sound(tmp_path / ".hidden" / "x.ogg"), artist="A")
    tag(sound(tmp_path / "good.ogg"), artist="A")
    rows = {row.file: row for row in read(tmp_path)}
    assert set(rows) == {"empty.mp3", "text.flac", "text.m4a", "good.ogg"}
    assert rows["empty.mp3"] == Rejected("empty.mp3", 0, "empty file")
    assert rows["text.flac"].reason == "cannot be read"
    assert "not a valid FLAC file" in rows["text.flac"].detail
    assert rows["text.m4a"].reason == (
        "no tags that can be read, and audio that cannot be decoded here: AAC or ALAC in MP4"
    )
    assert isinstance(rows["good.ogg"], Annotation)
    assert library.size(tmp_path) == 4


def test_a_file_that_may_not_be_read_is_listed(tmp_path):
    (tmp_path / "x.mp3").symlink_to(tmp_path / "gone.mp3")
    row = read_one(tmp_path)
    assert (row.reason, row.row) == ("cannot be read", 0)


def test_names_that_are_no_utf8_are_listed(tmp_path):
    with open(os.fsencode(tmp_path) + b"/caf\xe9.mp3", "wb") as file:
        file.write(b"x")
    row = read_one(tmp_path)
    assert row == Rejected("caf\\xe9.mp3", 0, "the file's name is not UTF-8")


def test_names_with_a_backslash_are_listed(tmp_path):
    tag(sound(tmp_path / "Album\\01.ogg", 0.1), artist="A")  # Unpacked by a tool of its own mind.
    assert read_one(tmp_path).text == "a backslash in the file's name; rename it"


def test_the_corpus_s_bad_files_are_no_obstacle(shared):
    rows = read(shared / "corpus" / "bad")
    assert len(rows) == library.size(shared / "corpus" / "bad")
    assert {row.file for row in rows if isinstance(row, Rejected)} >= {"zero_bytes.mp3"}


@pytest.mark.parametrize(("name", "message"), [("none", "no such folder"), ("", "no audio file")])
def test_a_folder_without_audio(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        library.size(tmp_path / name)


def test_the_one_artist_of_guests_and_compilations(tmp_path):
    cases = {
        "a": ({"artist": "Ann feat. Bo", "album artist": "Ann"}, "ann"),
        "b": ({"artist": "Ann (feat. Bo)"}, "ann"),
        "c": ({"artist": "Ann Featuring Bo", "albumartist": "VA"}, "ann"),
        "d": ({"artist": "Feat"}, "feat"),
        "e": ({"artist": "unknown", "albumartist": "Ann"}, "ann"),
        "f": ({"artists": ["Bo", "Ann"], "artist": "Ann & Bo"}, "ann & bo"),
        "g": ({"artist": "A\u030angstro\u0308m"}, "ångström"),
    }
    for name, (texts, _) in cases.items():
        path = sound(tmp_path / f"{name}.ogg", 0.1)
        file = mutagen.File(path)
        file.update({"genre": "Dub", **texts})
        file.save()
    assert {row.file[0]: row.artist_id for row in read(tmp_path)} == {
        name: artist for name, (_, artist) in cases.items()
    }


@pytest.mark.parametrize("artist", ["Various Artists", "unknown", "<unknown>", "-"])
def test_nobody_is_no_artist(tmp_path, artist):
    tag(sound(tmp_path / "x.ogg", 0.1), artist=artist)
    assert read_one(tmp_path) == Rejected("x.ogg", 0, "no artist")


def test_unknown_albums_are_none(tmp_path):
    for k, album in enumerate(["Unknown Album", "<none>", " ", "Unknown Pleasures"]):
        tag(sound(tmp_path / f"{k}.ogg", 0.1), artist="A", album=album)
    albums = [row.album_id for row in read(tmp_path)]
    assert albums == ["", "", "", "a / unknown pleasures"]


def test_what_is_missing_is_said_exactly(tmp_path):
    tag(sound(tmp_path / "a.ogg", 0.1), genres=["2012; Other"], artist="A")
    tag(sound(tmp_path / "b.ogg", 0.1), genres=["Rock"])
    tag(sound(tmp_path / "c.ogg", 0.1), genres=[], album="One")
    sound(tmp_path / "d.ogg", 0.1)
    (tmp_path / "e.mp3").write_bytes(b"TAG" + bytes(30) + b"A" * 30 + bytes(65))
    rejected = {row.file[0]: row.text for row in read(tmp_path) if isinstance(row, Rejected)}
    assert rejected == {
        "a": "no genre: '2012' is a number, 'Other' is a word for none",
        "b": "no artist",
        "c": "no artist and no genre",
        "d": "no artist and no genre",
        "e": "no genre: 0 in ID3v1 is Blues, or was never set",
    }


def test_what_is_no_genre_is_left_out_listed_or_kept(tmp_path):
    tag(sound(tmp_path / "x.ogg", 0.1), ["Rock; 1999", "***", "Nina", "()"], artist="Nina")
    none = [
        NoGenre("1999", "a number"),
        NoGenre("***", "a rating"),
        NoGenre("Nina", "the artist"),
        NoGenre("()", "no word"),
    ]
    *listed, row = read(tmp_path)
    assert (listed, row.styles) == (none, ("Rock",))
    *listed, row = read(tmp_path, keep_non_genres=True)
    assert (listed, row.styles) == (none[3:], ("Rock", "1999", "***", "Nina"))


def test_values_decoded_wrongly_are_listed(tmp_path):
    tag(sound(tmp_path / "x.ogg", 0.1), ["Rock", "Du\x07b"], artist="A", album="\ufffd\ufffd")
    *noted, row = read(tmp_path)
    assert (row.styles, row.album_id) == (("Rock",), "")
    assert sorted(note.text for note in noted) == [
        r"album with control characters or U+FFFD, not taken: '��'",
        r"genre with control characters or U+FFFD, not taken: 'Du\x07b'",
    ]
    assert {type(note) for note in noted} == {Noted}


UNREAD = ["wv", "ape", "mpc", "tta", "aac", "mka", "webm", "tak", "dsf", "xm", "mod", "mid", "wma"]


@pytest.mark.parametrize("extension", UNREAD)
def test_audio_that_nobody_reads_is_listed(tmp_path, extension):
    (tmp_path / f"x.{extension.upper()}").write_bytes(b"\x1aE\xdf\xa3 or whatever it is" * 20)
    row = read_one(tmp_path)
    assert row.reason.startswith("no tags that can be read, and audio that cannot be decoded here:")
    assert library.size(tmp_path) == 1


@pytest.mark.parametrize(
    ("name", "form"), [("x.w64", "W64"), ("x.caf", "CAF"), ("x.au", "AU"), ("x.wav", "RF64")]
)
def test_audio_without_tags_is_listed(tmp_path, name, form):
    soundfile.write(tmp_path / name, np.zeros(8000), 8000, format=form)
    row = read_one(tmp_path)
    assert (row.file, row.reason) == (name, "no tags")


def test_audio_that_cannot_be_decoded_is_annotated_without_path(tmp_path):
    path = tmp_path / "x.tta"
    path.write_bytes(b"TTA1 and no more" * 9)
    tag_id3(path, artist="A")
    noted, row = read(tmp_path)
    assert (row.track_id, row.path, row.duration, row.styles) == ("x.tta", "", None, ("Rock",))
    assert noted.text == (
        "annotated, but its audio cannot be decoded here: True Audio: "
        "Format not recognised; convert it, and annotate again"
    )


def test_a_pipe_or_a_folder_is_no_music(tmp_path):
    os.mkfifo(tmp_path / "x.mp3")  # Would be waited for for ever.
    (tmp_path / "y.mp3").mkdir()
    assert read(tmp_path) == [Rejected("x.mp3", 0, "not a file")]


def test_files_that_nobody_put_there_are_passed_over(tmp_path):
    for folder in [".trash", ".AppleDouble", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "a/#recycle"]:
        tag(sound(tmp_path / folder / "x.ogg", 0.1), artist="A")
    tag(sound(tmp_path / "a" / "y.ogg", 0.1), artist="A")
    (tmp_path / "a" / "._y.ogg").write_bytes(b"\0\x05\x16\x07")
    assert [row.track_id for row in read(tmp_path)] == ["a/y.ogg"]
    assert library.size(tmp_path) == 1


def test_every_file_has_its_own_id_and_its_own_path(tmp_path):
    names = [
        "a b.ogg",
        "a  b.ogg",
        "a\tb.ogg",
        "é.ogg",
        "e\u0301.ogg",
        "x\u200by.ogg",
        "o\u0308.ogg",
    ]
    for name in names:
        tag(sound(tmp_path / name, 0.1), artist="A")
    rows = {row.path: row.track_id for row in read(tmp_path)}
    assert set(rows) == set(names)
    assert len(set(rows.values())) == len(names)
    assert all(" ".join(track.split()) == track for track in rows.values())
    clean = ["a b.ogg", "é.ogg"]  # These keep theirs; so do those that are alone.
    assert [rows[name] for name in [*clean, *names[5:]]] == [*clean, "xy.ogg", "ö.ogg"]
    before = dict(rows)
    os.remove(tmp_path / "a\tb.ogg")
    after = {row.path: row.track_id for row in read(tmp_path)}
    assert after == {path: before[path] for path in after}


def test_durations_are_measured(tmp_path):
    path = sound(tmp_path / "x.wav", 5.0)
    tag_id3(path, artist="A")  # In front of the RIFF, where nobody looks.
    path = sound(tmp_path / "y.mp3", 5.0)
    content = path.read_bytes()
    path.write_bytes(content + content)  # The Xing header is of the first half.
    tag_id3(path, artist="A")
    rows = {row.file: row for row in read(tmp_path)}
    assert rows["y.mp3"].duration == pytest.approx(10.0, abs=0.2)
