"""Audio by id: the track's own file, whatever else lies in people's folders."""

import pytest

from tagjax.base.errors import InputError
from tagjax.examples.lookup import find_by_id, on_disk


@pytest.fixture
def folder(tmp_path):
    def touch(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return tmp_path

    return touch


def test_files_are_found_in_the_folder_and_below_it(folder):
    root = folder("1.mp3", "a/2.flac", "a/b/3.OGG", "4.wav", "a/5.m4a")
    found = find_by_id(root, ["1", "2", "3", "5", "6"])
    assert found == {"1": "1.mp3", "2": "a/2.flac", "3": "a/b/3.OGG", "5": "a/5.m4a"}


def test_audio_goes_before_covers_and_lyrics_wherever_they_lie(folder):
    root = folder("a/1.jpg", "b/1.flac", "b/1.txt", "c/1.lrc", "2.jpg", "2.txt")
    assert find_by_id(root, "12") == {"1": "b/1.flac", "2": "2.jpg"}


@pytest.mark.parametrize(
    "hidden",
    [
        *(".trash", ".Trashes", ".AppleDouble", "__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN"),
        *("a/.git/b", "a/@eaDir/1.mp3", "System Volume Information", "lost+found"),
    ],
)
def test_hidden_and_system_folders_are_passed_by(folder, hidden):
    root = folder(f"{hidden}/1.mp3", "z/1.mp3", f"{hidden}/2.mp3")
    assert find_by_id(root, "12") == {"1": "z/1.mp3"}


def test_folders_that_only_look_odd_are_not(folder):
    root = folder("#1 Hits/1.mp3", "$uicideboy$/2.mp3", "@home/3.mp3", "...And You Will/._4.mp3")
    assert find_by_id(root, "123") == {
        "1": "#1 Hits/1.mp3",
        "2": "$uicideboy$/2.mp3",
        "3": "@home/3.mp3",
    }


def test_the_folder_itself_may_be_hidden(folder):
    assert find_by_id(folder(".music/1.mp3") / ".music", "1") == {"1": "1.mp3"}


@pytest.mark.parametrize(
    "paths", [("a/1.mp3", "b/1.mp3"), ("1.flac", "1.mp3"), ("b/1.ogg", "1.wav")]
)
def test_two_audio_files_of_one_id_are_an_error_that_names_both(folder, paths):
    root = folder(*paths, "2.mp3", "c/2.mp3")
    with pytest.raises(InputError) as caught:
        find_by_id(root, ["1"])
    assert all(path in str(caught.value) for path in (str(root), "the track 1:", *paths))
    assert find_by_id(root, ["3"]) == {}  # Of tracks that nobody asks for.


NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize("disk", [NFC, NFD])
@pytest.mark.parametrize("said", [NFC, NFD])
def test_letters_with_accents_are_found_however_they_are_spelt(folder, disk, said):
    root = folder(f"{disk}/{disk}.mp3")
    assert find_by_id(root, [said]) == {said: f"{disk}/{disk}.mp3"}
    assert on_disk(root, f"{said}/{said}.mp3") == root / disk / f"{disk}.mp3"
    assert on_disk(root, "gone.mp3") == root / "gone.mp3"


def test_a_path_is_taken_as_it_is_where_the_disk_has_it(folder):
    root = folder(f"{NFC}.mp3", f"{NFD}.mp3")
    for name in (NFC, NFD):
        assert on_disk(root, f"{name}.mp3") == root / f"{name}.mp3"
    with pytest.raises(InputError, match="two files of the track"):
        find_by_id(root, [NFC])
