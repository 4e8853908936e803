"""Decides what the tags of one or several catalogues are to each other, and writes it for others.

    python -m launch.reconcile --library=music

    python -m launch.reconcile --annotations=a.csv,b.csv --prefix=a:,b: \\
        --tracks=tracks.csv --audio_dir=music

    python -m launch.reconcile --run_dir=runs/catalogue_split/mine

The first reads the genres of a folder of music: which are the same, which is below which, which is
two things, which is none. The second joins two catalogues. The third takes a finished run. With
--features (such as launch.embed makes) nothing is trained, and annotations alone go by spelling and
by the tracks that two tags share. What is not done yet is done: annotations, manifest, examples,
training, evidence. A plan is printed first, with time and disk; --dry_run ends there. The same
command goes on after a kill, and trains again only if tracks or tags have changed.

It writes into --out (RUN_DIR/reconciliation, or reconciliation/NAME): predictions.sssom.tsv, which
is made anew each time; positive, negative and unsure.sssom.tsv, in which people decide, and which
are never touched; vocabulary.csv, senses.csv and blocked.csv, which launch.apply reads;
vocabulary.ttl (SKOS), beets/ and picard/; evidence/; and report.html, which shows all of it.
"""

import contextlib
import dataclasses
import datetime
import os
import pathlib
import re
import shlex
import tempfile
import time
from typing import Any

from absl import flags
from tqdm import tqdm

from launch import program
from launch.bars import TrainingBars, bar, excerpts_bar
from tagjax.base import interruption
from tagjax.base.errors import InputError, one_line
from tagjax.base.files import locked
from tagjax.catalogue import annotations, sources
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.catalogue.sources import library
from tagjax.evidence import inputs
from tagjax.evidence.config import EvidenceConfig
from tagjax.reconcile import exports, listen, reconciling
from tagjax.reconcile.config import ReconcileConfig
from tagjax.run.config import replaced
from tagjax.similarity import run as runs
from tagjax.similarity.features import read_all_features
from tagjax.vocabulary.taxonomy import Taxonomy, read_taxonomy

_LIBRARY = flags.DEFINE_string("library", None, "Folder of music whose genres are to be decided.")
_ANNOTATIONS = flags.DEFINE_list("annotations", [], "Or annotation tables, one for each catalogue.")
_PREFIX = flags.DEFINE_list("prefix", [], "Prefixes of their tags, one for each catalogue: a:,b:")
_ANNOTATES = flags.DEFINE_list("annotates", [], "As of launch.split: album or track, for each.")
_TRACKS = flags.DEFINE_string("tracks", None, "Table track_id,path,duration_s: where the audio is.")
_AUDIO_DIR = flags.DEFINE_string("audio_dir", None, "Folder of the audio.")
_FEATURES = flags.DEFINE_list(
    "features",
    [],
    "Vectors by track: .npz, .npy, .parquet or .csv; several, such as one of each machine, count "
    "as one. Then nothing is trained.",
)
_RUN_DIR = flags.DEFINE_string("run_dir", None, "Or a finished run; then nothing is trained.")
_TAXONOMY = flags.DEFINE_list(
    "taxonomy", [], "Tables style,genre, one for each catalogue; nothing between commas for none."
)
_OUT = flags.DEFINE_string("out", None, "Folder for the decisions.")
_NAME = flags.DEFINE_string(
    "name", None, "Name of manifest, data set and run; by default that of the folder or the tables."
)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Say what would be done, and stop.")
_SHARE = flags.DEFINE_float(
    "share_without", None, "As of launch.evidence.", lower_bound=0, upper_bound=1
)
_CACHE_DIR = flags.DEFINE_string(
    "compilation_cache", "~/.cache/tagjax", "Folder for compiled steps; empty: none are kept."
)
_SEPARATORS = {
    "separators": flags.DEFINE_multi_string(
        "separator", None, "As of launch.annotate: separates genres in one field of a file."
    ),
    "whole": flags.DEFINE_multi_string(
        "whole", None, "As of launch.annotate: a genre that is not split."
    ),
}
_LISTEN = program.config_flags(listen.ListenConfig, {"": listen.ListenConfig()})
_DECIDE = program.config_flags(ReconcileConfig, {"": ReconcileConfig()})
_WEIGH = program.config_flags(EvidenceConfig, {"": EvidenceConfig()})


@dataclasses.dataclass(frozen=True, eq=False)
class _Given:
    """What the flags name.

    Attributes:
      catalogues: one for each tag system.
      tracks: where the audio is; None if that is not known.
      audio_dir: folder of the audio.
      run: a finished run; None if none is named.
      name: of what is made of it.
      taxonomy: of tags with prefixes; None if there is none.
    """

    catalogues: list[Catalogue]
    tracks: Tracks | None
    audio_dir: str | None
    run: runs.Run | None
    name: str
    taxonomy: Taxonomy | None = None


def main() -> None:
    """Flags to decisions on disk."""
    started = time.time()
    _check_flags()
    listening = listen.ListenConfig(**program.given(_LISTEN))
    weighing = replaced(EvidenceConfig(), program.given(_WEIGH))
    deciding = ReconcileConfig(**program.given(_DECIDE))
    with contextlib.ExitStack() as stack:
        given = _given(stack)
        out = program.writable(pathlib.Path(_OUT.value or _default_out(given)))
        way, lines = _plan(given, listening)
        print("\n".join([*map(one_line, lines), f"results: {out}"]), flush=True)
        if _DRY_RUN.value:
            print("nothing was done (--dry_run)")
            return
        stack.enter_context(locked(out, "wait for it to end"))
        reconciling.check_place(out, _origin(given))
        run, features = given.run, None
        if isinstance(way, listen.Training):
            program.cache_compilations(_CACHE_DIR.value)
            with interruption.Stop() as stop, TrainingBars() as on_progress:
                run = runs.load_run(listen.train(way, stop, excerpts_bar, on_progress))
        elif _FEATURES.value:
            features = read_all_features(_FEATURES.value, bar)
            known = {track for catalogue in given.catalogues for track in catalogue.track_id}
            heard = len(known & {*features[0]})
            print(f"vectors: of {heard} of {len(known)} annotated tracks", flush=True)
        found = reconciling.reconcile(
            given.catalogues, out, run, features, given.taxonomy, weighing, deciding,
            _SHARE.value, bar,
        )  # fmt: skip
        by_name = exports.artists_by_name(given.catalogues) if _LIBRARY.value else None
        from tagjax.report.reconciliation import write_reconciliation

        origin = _origin(given) | {"heard": run and os.path.abspath(run.path)}
        lines = write_reconciliation(out, found, origin, run, by_name)
    print("\n".join(map(one_line, lines)))
    drop = ["--drop_blocked"] if found.decisions.blocked else []
    _say_where(out, time.time() - started, drop)


def _check_flags() -> None:
    named = [flag.name for flag in (_LIBRARY, _ANNOTATIONS, _RUN_DIR) if flag.value]
    if not named:
        raise InputError("name --library, --annotations or --run_dir; see --help")
    if len(named) > 1 and named != ["annotations", "run_dir"]:
        raise InputError(f"--{named[0]} and --{named[1]} cannot be used together; leave one out")
    if _FEATURES.value and _RUN_DIR.value:
        raise InputError("--features and --run_dir cannot be used together; leave one out")
    tables = (_PREFIX, _ANNOTATES, _TRACKS, _AUDIO_DIR)
    for flag in tables if not _ANNOTATIONS.value else ():
        if flag.present:
            raise InputError(f"--{flag.name} needs --annotations")
    for flag in _SEPARATORS.values() if not _LIBRARY.value else ():
        if flag.present:
            raise InputError(f"--{flag.name} needs --library")
    for flag in (_LIBRARY, _AUDIO_DIR):
        if flag.value and not os.path.isdir(flag.value):
            raise InputError(f"--{flag.name}={flag.value}: no such folder")
    inputs.check_prefixes(_PREFIX.value)
    for path in _FEATURES.value:
        if not os.path.exists(path):
            raise InputError(f"--features={path}: no such file")
    if bool(_TRACKS.value) != bool(_AUDIO_DIR.value):
        raise InputError("--tracks and --audio_dir belong together: name both, or neither")


def _given(stack: contextlib.ExitStack) -> _Given:
    """Reads what the flags name; a dry run writes nothing that stays."""
    if _LIBRARY.value:
        folder = pathlib.Path("data/annotations", _name())
        if _DRY_RUN.value:
            temporary = stack.enter_context(tempfile.TemporaryDirectory())
            folder = pathlib.Path(temporary, "annotations")
        _annotate(folder)
        catalogues = annotations.read_catalogues([folder / "annotations.csv"])
        tracks = annotations.read_tracks(folder / "tracks.csv")
        return _Given(catalogues, tracks, _LIBRARY.value, None, _name(), _taxonomy(catalogues))
    run = runs.load_run(_RUN_DIR.value) if _RUN_DIR.value else None
    if _ANNOTATIONS.value:
        catalogues = annotations.read_catalogues(
            _ANNOTATIONS.value, _PREFIX.value, _ANNOTATES.value
        )
        tracks = annotations.read_tracks(_TRACKS.value) if _TRACKS.value else None
        taxonomy = _taxonomy(catalogues)
        return _Given(catalogues, tracks, _AUDIO_DIR.value, run, _name(), taxonomy)
    assert run is not None
    catalogues = listen.catalogues_of(run)
    taxonomy = _taxonomy(catalogues) or run.truth.taxonomy
    return _Given(catalogues, None, None, run, _name(), taxonomy)


def _annotate(folder: pathlib.Path) -> None:
    """Reads the genres of the library's files into tables; all texts are kept as tags."""
    config = library.Config(**program.given(_SEPARATORS), keep_non_genres=True)
    size = library.size(_LIBRARY.value)
    with tqdm(desc="read genres", total=size, unit=" files", mininterval=0.5) as shown:
        counts = sources.annotate(
            "library", _LIBRARY.value, folder, config, shown.update, overwrite=True
        )
    for line in sources.report(counts):
        print(one_line(line))


def _taxonomy(catalogues: list[Catalogue]) -> Taxonomy | None:
    if not any(_TAXONOMY.value):
        return None
    if len(_TAXONOMY.value) != len(catalogues):
        raise InputError(
            f"--taxonomy={','.join(_TAXONOMY.value)}: name one table for each of the "
            f"{len(catalogues)} catalogues (nothing between commas for none)"
        )
    pairs: list[tuple[str, str]] = []
    for path, catalogue in zip(_TAXONOMY.value, catalogues, strict=True):
        own = read_taxonomy(path, catalogue.prefix).pairs() if path else []
        tags = {catalogue.prefix + tag for tags in catalogue.tags for tag in tags}
        if own and not any({*pair} & tags for pair in own):
            raise InputError(
                f"{path}: none of its names, such as {own[0][0]!r}, is a tag of the catalogue; see "
                "the order of the tables and --prefix"
            )
        pairs += own
    return Taxonomy.of(pairs)


def _name() -> str:
    """The name of what is made: --name, or of the folder or the tables."""
    stems = [pathlib.Path(path).stem for path in _ANNOTATIONS.value]
    given = _NAME.value or "+".join(stems)
    if not given:
        given = pathlib.Path(_LIBRARY.value or _RUN_DIR.value).resolve().name
    return re.sub(r"[^\w.+-]+", "_", given).strip("_.+-") or "mine"


def _default_out(given: _Given) -> pathlib.Path:
    if given.run is not None:
        return given.run.path / "reconciliation"
    return pathlib.Path("reconciliation", given.name)


def _origin(given: _Given) -> dict[str, Any]:
    """Where the tags come from, for `reconciliation.json`."""
    tables, tracks = _ANNOTATIONS.value, _TRACKS.value
    if _LIBRARY.value:
        folder = pathlib.Path("data/annotations", given.name)
        tables, tracks = [folder / "annotations.csv"], folder / "tracks.csv"
    return {
        "library": _LIBRARY.value and os.path.abspath(_LIBRARY.value),
        "annotations": [os.path.abspath(path) for path in _ANNOTATIONS.value],
        "prefix": _PREFIX.value,
        "tables": [os.path.abspath(path) for path in tables],
        "annotates": _ANNOTATES.value,
        "taxonomy": [path and os.path.abspath(path) for path in _TAXONOMY.value],
        "tracks": tracks and os.path.abspath(tracks),
        "audio_dir": given.audio_dir and os.path.abspath(given.audio_dir),
        "share_without": _SHARE.value,
        "features": [os.path.abspath(path) for path in _FEATURES.value],
        "run_dir": _RUN_DIR.value and os.path.abspath(_RUN_DIR.value),
    }


def _plan(given: _Given, config: listen.ListenConfig) -> tuple[listen.Training | str, list[str]]:
    """How the tags are heard, and lines on what that takes."""
    counts = ", ".join(
        f"{len({tag for tags in c.tags for tag in tags})} tags on {len(c)} tracks"
        + (f" ({c.prefix})" if c.prefix else "")
        for c in given.catalogues
    )
    lines = [f"tags: {counts}"]
    if _LIBRARY.value and not _DRY_RUN.value:
        lines.append(f"tables: {pathlib.Path('data/annotations', given.name)}")
    if given.run is not None:
        return "run", [*lines, f"sound: predictions of {given.run.path}; some minutes at most"]
    if vectors := ", ".join(_FEATURES.value):
        return "features", [*lines, f"sound: vectors of {vectors}; some minutes at most"]
    way = listen.plan_training(given.catalogues, given.tracks, given.audio_dir, given.name, config)
    if isinstance(way, str):
        lines.append(f"sound: none; {way}")
        return way, [*lines, "instead: spelling, and which tags stand on the same tracks; seconds"]
    building, training, size = way.cost()
    folders = way.folders()
    if way.trained():
        return way, [*lines, f"sound: {folders['run']}, trained already; some minutes at most"]
    building *= not way.built()
    lines.append(
        f"to do: {way.excerpts} excerpts to decode ({_time(building)}), a classifier with the "
        f"preset {way.preset} to train ({_time(training)} without an accelerator), evidence "
        "(1 min)"
    )
    lines.append(f"disk: {_size(size)} in {folders['examples']}, and {folders['run']}")
    return way, lines


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _size(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def _say_where(out: pathlib.Path, seconds: float, drop: list[str]) -> None:
    print(f"see: {out / 'report.html'}")
    audio = "" if _LIBRARY.value or _AUDIO_DIR.value else " --tracks=tracks.csv --audio_dir=FOLDER"
    words = shlex.quote(f"--reconciliation={out}") + audio
    print(f"decide by ear: python -m launch.review {words}")
    if _LIBRARY.value:
        words = [f"--decisions={out}", f"--library={_LIBRARY.value}", *drop]
        print(f"next: python -m launch.apply {shlex.join(words)}")
    took = datetime.timedelta(seconds=round(seconds))
    print(f"everything took {took}")


if __name__ == "__main__":
    os.environ.setdefault("NO_GCE_CHECK", "true")
    program.run(main)
