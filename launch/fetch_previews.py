"""Fetches 30 s previews and metadata of songs from Deezer's public API.

    python -m launch.fetch_previews --manifest_dir=data/manifests/discogs_split/taxonomy \\
        --audio_dir=data/audio/discogs_split

    python -m launch.fetch_previews --ids=ids.txt --audio_dir=previews

--ids is a text file with one id on each line, or a CSV file with a column sng_id. The same command
goes on where it was stopped or killed. It fetches nothing twice and tries failed tracks again. It
remembers that Deezer has no preview of a track, or no such track. The folder gets the audio as
SNG_ID.mp3, coverage.csv (also by tag of the manifest), provenance.csv, and previews.jsonl with one
line for each answer. Delete a line to ask for its track again.

A preview is not the excerpt that a manifest asks for, because Deezer chose where it starts.
"""

from absl import flags

from launch import program
from tagjax.base import interruption
from tagjax.base.errors import InputError
from tagjax.examples import provenance
from tagjax.manifest import lists
from tagjax.previews import client, fetch, ids, ledger, report

_CLIENT = client.ClientConfig()
_DEFAULT = fetch.FetchConfig()

_IDS = flags.DEFINE_string("ids", None, "File with song ids.")
_MANIFEST_DIR = flags.DEFINE_string("manifest_dir", None, "Or a manifest: all tracks in it.")
_AUDIO_DIR = flags.DEFINE_string("audio_dir", None, "Folder for the audio.")
_API = flags.DEFINE_string("api", _CLIENT.api, "Address of the API.")
_RATE = flags.DEFINE_float(
    "rate", _DEFAULT.rate, "Requests to the API in --per seconds.", lower_bound=0.001
)
_PER = flags.DEFINE_float("per", _DEFAULT.per, "Seconds of --rate.", lower_bound=0.001)
_CONCURRENCY = flags.DEFINE_integer(
    "concurrency", _DEFAULT.concurrency, "Tracks fetched at once.", lower_bound=1, upper_bound=256
)
_RETRIES = flags.DEFINE_integer(
    "retries", _CLIENT.retries, "Further tries for a track in this run.", lower_bound=0
)
_TIMEOUT = flags.DEFINE_float(
    "timeout", _CLIENT.timeout, "Seconds that one request may take.", lower_bound=0.001
)
_BACKOFF = flags.DEFINE_float(
    "backoff", _CLIENT.backoff, "Seconds before the first retry; then doubled.", lower_bound=0.0
)


def main() -> None:
    """Fetches the previews that the flags ask for."""
    if not _AUDIO_DIR.value:
        raise InputError("--audio_dir: name the folder for the audio")
    if bool(_IDS.value) == bool(_MANIFEST_DIR.value):
        raise InputError("name the tracks by --ids=FILE or by --manifest_dir=DIR, one of them")
    if not _API.value.startswith(("http://", "https://")):
        raise InputError(f"--api={_API.value}: an address starts with https:// or http://")
    config = fetch.FetchConfig(
        client.ClientConfig(_API.value, _TIMEOUT.value, _RETRIES.value, backoff=_BACKOFF.value),
        rate=_RATE.value,
        per=_PER.value,
        concurrency=_CONCURRENCY.value,
    )
    tags: dict[str, list[str]] = {}
    if _IDS.value:
        tracks = ids.read_ids(_IDS.value)
    else:
        manifest = lists.read_manifest(_MANIFEST_DIR.value or "")
        tracks = ids.manifest_ids(_MANIFEST_DIR.value or "", manifest)
        tags = ids.tracks_by_tag(manifest)
    try:
        _run(tracks, tags, _AUDIO_DIR.value, config)
    except OSError as error:
        raise InputError(
            f"{_AUDIO_DIR.value}: {error.strerror or error}; nothing is half done, and the same "
            "command goes on"
        ) from None


def _run(
    tracks: list[str], tags: dict[str, list[str]], folder: str, config: fetch.FetchConfig
) -> None:
    with interruption.Stop() as stop, ledger.Ledger(folder) as book:
        present = book.recognise(tracks)
        if present:
            print(f"{present} tracks have their audio file already")
        todo = len(fetch.unfinished(tracks, book))
        print(f"{len(tracks)} tracks, {todo} to fetch: {_time(todo * config.per / config.rate)}")
        with stop.deferred():
            gave_up = fetch.fetch(tracks, book, config, lambda: stop.asked)
        rows = report.coverage(tracks, book.records, tags)
        report.write(folder, rows, book.records.values())
        reached = (book.records[sng_id] for sng_id in tracks if sng_id in book.records)
        print("\n".join(report.lines(rows, reached)))
        print(f"written: {folder}/{report.COVERAGE}, {provenance.FILE}")
        left = len(fetch.unfinished(tracks, book))
    rest = f"{left} of {len(tracks)} tracks to go; the same command goes on"
    if stop.asked:
        raise interruption.InterruptedRunError(stop.asked, f"with {rest}")
    if todo and left == len(tracks):
        gave_up = gave_up or "no track could be fetched"
    if gave_up:
        raise InputError(f"{config.client.api}: {gave_up}, with {rest}")


def _time(seconds: float) -> str:
    """The shortest time that the quota allows, in words."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min at least" if minutes else "under a minute"


if __name__ == "__main__":
    program.run(main)
