"""Lets a person decide by ear what the machine is not sure of, on a page of this machine.

    python -m launch.review --reconciliation=reconciliation/music --audio_dir=music

It prints an address with a token, for a browser on this machine; nothing leaves the machine. The
first decision is the one that helps most. Each decision is in positive.sssom.tsv,
negative.sssom.tsv or unsure.sssom.tsv before the next is shown, and what a person chose for a
single tag (its name, also a new one, to drop it, to split it) in tags.csv. All may be edited by
hand meanwhile, and launch.reconcile heeds them later. The last 100 steps can be taken
back, also after a restart (.review.jsonl).

Clips are cut from --audio_dir, by --tracks or by the names of the files. Both need not be named if
launch.reconcile knew them. Without audio the review goes on without clips.
"""

import contextlib
import gc
import getpass
import os
import resource
import sys
import webbrowser

from absl import flags

from launch import program
from tagjax.base.errors import InputError, one_line
from tagjax.catalogue.annotations import read_tracks
from tagjax.reconcile.loading import Reconciliation, load_reconciliation
from tagjax.review.app import Server
from tagjax.review.clips import Audio, Clips, find_audio
from tagjax.review.people_store import PeopleStore
from tagjax.review.session import Session

_FOLDER = flags.DEFINE_string("reconciliation", None, "Folder that launch.reconcile wrote.")
_AUDIO_DIR = flags.DEFINE_string("audio_dir", None, "Folder of the audio.")
_TRACKS = flags.DEFINE_string("tracks", None, "Table track_id,path,duration_s: where the audio is.")
_PORT = flags.DEFINE_integer("port", 8765, "Port on 127.0.0.1; 0 for any.", 0, 65535)
_OPEN = flags.DEFINE_bool("open", False, "Open the page in a browser.")
_BY = flags.DEFINE_string("by", None, "Who decides; your name on this machine by default.")
_LEARN = flags.DEFINE_bool("learn", True, "Weigh the evidence again after decisions.")


def main() -> None:
    """Flags to a page."""
    if not _FOLDER.value:
        raise InputError("name --reconciliation; see --help")
    found = load_reconciliation(_FOLDER.value)
    audio = _audio(found)
    store = PeopleStore(_FOLDER.value, found.facts.vocabulary, _who())
    server_session = Session(found, store, Clips(audio), _LEARN.value)
    try:
        server = Server(server_session, _PORT.value)
        _open_files()
        _answer_soon()
        for line in (audio.note, store.note, store.error):
            if line:
                print(one_line(line))
        print(f"review: {server.url}", flush=True)
        if _OPEN.value:
            webbrowser.open(server.url)
        server.run()
    finally:
        server_session.close()


def _audio(found: Reconciliation) -> Audio:
    """The audio that the flags name, or that launch.reconcile knew."""
    folder = _AUDIO_DIR.value or found.origin.get("audio_dir")
    if _AUDIO_DIR.value and not os.path.isdir(_AUDIO_DIR.value):
        raise InputError(f"--audio_dir={_AUDIO_DIR.value}: no such folder")
    path = _TRACKS.value or found.origin.get("tracks")
    table = read_tracks(path) if path and (_TRACKS.value or os.path.isfile(path)) else None
    return find_audio([*found.tracks()], folder, table)


def _who() -> str:
    try:
        return _BY.value or getpass.getuser()
    except (OSError, KeyError):  # The account has no name.
        return ""


def _answer_soon() -> None:
    """Lets no answer wait for what goes on behind it, nor for a look at all that was loaded."""
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()


def _open_files() -> None:
    """Allows as many open connections as the system does."""
    with contextlib.suppress(ValueError, OSError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    program.run(main)
