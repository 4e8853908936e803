"""How the tags of catalogues come to be heard: a plan with its cost, and a classifier trained so.

A catalogue that can be trained on becomes a manifest, examples and a run, as by `launch.split`,
`launch.build` and `launch.train`. The names of these folders end with a digest of the manifest. So
what is done is not done again, and new tracks ask for a new run.
"""

import collections
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import scipy.sparse

from tagjax.base import interruption
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.progress import Progress, silently
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.examples.frontend import FrontendConfig
from tagjax.manifest import lists, sampling
from tagjax.manifest.lists import Manifest
from tagjax.reconcile.blocked import find_blocked
from tagjax.reconcile.facts import gather_facts
from tagjax.run.progress import OnProgress
from tagjax.similarity.embeddings import Rows
from tagjax.similarity.observations import sparse_rows, whole
from tagjax.similarity.run import Run

_DECODED, _TRAINED, _COMPILED = 13.0, 140.0, 10.0
"""Excerpts that one core decodes, and examples of 10 s that it trains on with the preset
`catalogue`, in a second; seconds to compile a model. Measured on two cores of a server of 2023."""


@dataclasses.dataclass(frozen=True)
class ListenConfig:
    """When and how a classifier is trained to hear the tags.

    Attributes:
      trained_tags: tags of enough artists that a catalogue needs to be trained on.
      tag_artists: artists of tracks with sound that such a tag needs.
      folds: folds by artist; every track is predicted by a model that heard none of its artist.
      max_excerpts_per_track: see `SamplingConfig`, as for
      seg_duration: of which shorter tracks are not heard.
      large: tracks from which there are no folds: the test part is enough.
      max_epochs: of the training; None for those of the preset.

    >>> ListenConfig(max_epochs=4).trained_tags
    10
    """

    trained_tags: int = 10
    tag_artists: int = 5
    folds: int = 5
    max_excerpts_per_track: int = 3
    seg_duration: float = 30.0
    large: int = 20_000
    max_epochs: int | None = None

    def __post_init__(self) -> None:
        least = {"trained_tags": 1, "tag_artists": 1, "folds": 2, "max_excerpts_per_track": 1}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise InputError(f"{name}={getattr(self, name)}: must be at least {smallest}")
        if self.max_epochs is not None and self.max_epochs < 1:
            raise InputError(f"max_epochs={self.max_epochs}: must be at least 1")


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """A training to come.

    Attributes:
      manifest: its excerpts.
      name: of manifest, data set and run.
      preset: of `run.config.PRESETS`.
      audio_dir: folder of the audio.
      max_epochs: None for those of the preset.
    """

    manifest: Manifest
    name: str
    preset: str
    audio_dir: pathlib.Path
    max_epochs: int | None = None

    @property
    def excerpts(self) -> int:
        """Number of excerpts."""
        return sum(map(len, self.manifest.parts.values()))

    def folders(self) -> dict[str, pathlib.Path]:
        """{"manifest", "examples", "run": folder}, below the working directory."""
        return {
            "manifest": pathlib.Path("data/manifests", self.name),
            "examples": pathlib.Path("data/tfds/catalogue_split", self.name),
            "run": pathlib.Path("runs/catalogue_split", self.name),
        }

    def trained(self) -> bool:
        """Whether the run is there already."""
        return (self.folders()["run"] / "predictions").is_dir()

    def built(self) -> bool:
        """Whether the examples are there already."""
        return any(self.folders()["examples"].glob("*/dataset_info.json"))

    def cost(self) -> tuple[float, float, float]:
        """Estimates: (seconds to build, seconds to train, bytes on disk)."""
        from tagjax.run.config import PRESETS

        cores = len(os.sched_getaffinity(0))
        frontend = FrontendConfig()
        seconds = max(float(p.seg_duration.max()) for p in self.manifest.parts.values() if len(p))
        epochs = self.max_epochs or PRESETS[self.preset].max_epochs
        shown = self.excerpts * max(self.manifest.folds - 1, 1) * epochs
        slower = 1.0 if self.preset == "catalogue" else 20.0
        return (
            self.excerpts / _DECODED / cores,
            shown * slower / _TRAINED / cores + _COMPILED * max(self.manifest.folds, 1),
            2.0 * self.excerpts * frontend.frames(seconds) * frontend.n_mels,
        )


def heard_tags(
    catalogues: Sequence[Catalogue], tracks: Tracks, blocked: Collection[str], tag_artists: int
) -> list[str]:
    """The tags that enough artists with sound have, without those that are no genres.

    >>> catalogue = Catalogue("", ("t", "u"), ("r", "s"), ("", ""), (("dub",), ("dub", "ska")))
    >>> import numpy as np
    >>> heard_tags([catalogue], Tracks(("t", "u"), ("t.mp3", "u.mp3"), np.zeros(2)), (), 2)
    ['dub']
    """
    known = {*tracks.track_id}
    artists = collections.defaultdict[str, set[str]](set)
    for catalogue in catalogues:
        rows = zip(catalogue.track_id, catalogue.artist_id, catalogue.tags, strict=True)
        for track, artist, tags in rows:
            if track in known:
                for tag in tags:
                    artists[catalogue.prefix + tag].add(artist)
    return sorted(t for t, a in artists.items() if len(a) >= tag_artists and t not in blocked)


def without(catalogues: Sequence[Catalogue], blocked: Collection[str]) -> list[Catalogue]:
    """Catalogues without some tags, and without the tracks that have no other.

    >>> catalogue = Catalogue("", ("t", "u"), ("r", "s"), ("", ""), (("2012",), ("dub", "2012")))
    >>> without([catalogue], ["2012"])[0].tags
    (('dub',),)
    """
    found = []
    for catalogue in catalogues:
        kept = [
            tuple(tag for tag in tags if catalogue.prefix + tag not in blocked)
            for tags in catalogue.tags
        ]
        rows = [row for row, tags in enumerate(kept) if tags]

        def of(column: Sequence[str], rows: Iterable[int] = rows) -> tuple[str, ...]:
            return tuple(column[row] for row in rows)

        found.append(
            dataclasses.replace(
                catalogue,
                track_id=of(catalogue.track_id),
                artist_id=of(catalogue.artist_id),
                album_id=of(catalogue.album_id),
                tags=tuple(kept[row] for row in rows),
                artist=catalogue.artist and of(catalogue.artist),
                title=catalogue.title and of(catalogue.title),
            )
        )
    return [catalogue for catalogue in found if len(catalogue)]


def plan_training(
    catalogues: Sequence[Catalogue],
    tracks: Tracks | None,
    audio_dir: PathLike | None,
    name: str,
    config: ListenConfig = ListenConfig(),
) -> Training | str:
    """The training that lets the tags be heard, or why there is none.

    Tags that are no genres are not learnt.

    Args:
      catalogues: one for each tag system.
      tracks: where the audio is; None if there is no audio.
      audio_dir: folder of the audio.
      name: what the folders are called, before the digest.
      config: see there.

    Raises:
      InputError: as `make_manifest`.
    """
    if tracks is None or audio_dir is None:
        return "no audio is named (--tracks and --audio_dir)"
    facts = gather_facts(catalogues)
    blocked = find_blocked(facts.vocabulary, facts.artist_names)
    heard = heard_tags(catalogues, tracks, blocked, config.tag_artists)
    if len(heard) < config.trained_tags:
        return (
            f"too small to train on: {len(heard)} tags have {config.tag_artists} artists or "
            f"more, and {config.trained_tags} are needed"
        )
    large = len(tracks) >= config.large
    choices = sampling.SamplingConfig(
        max_excerpts_per_track=config.max_excerpts_per_track, seg_duration=config.seg_duration
    )
    kept = without(catalogues, blocked)
    experiment = "translation" if len(kept) == 2 else "taxonomy"
    folds = 0 if large else config.folds
    manifest = sampling.make_manifest(kept, tracks, choices, experiment, folds)
    preset = "paper" if large else "catalogue"
    full = f"{name}-{digest(manifest)}"
    return Training(manifest, full, preset, pathlib.Path(audio_dir), config.max_epochs)


def digest(manifest: Manifest) -> str:
    """Eight letters and digits that stand for the content of a manifest."""
    known = hashlib.sha256(repr(manifest.vocabulary).encode())
    for name, part in manifest.parts.items():
        columns = (part.sng_id, part.label, part.seg_start.tolist(), part.tags, part.path)
        known.update(repr((name, columns)).encode())
    return known.hexdigest()[:8]


def train(
    training: Training,
    stop: interruption.Stop | None = None,
    on_build: Progress = silently,
    on_progress: OnProgress | None = None,
) -> pathlib.Path:
    """Makes what a training lacks, from its manifest on; returns the run directory.

    Raises:
      InputError: as `write_manifest`, `build` and `train_run`.
      InterruptedRunError: it was asked to stop; the same call goes on.
    """
    folders = training.folders()
    if training.trained():
        return folders["run"]
    from tagjax.examples.build import build
    from tagjax.run.config import PRESETS, replaced
    from tagjax.run.training import train_run

    lists.write_manifest(folders["manifest"], training.manifest)
    name = f"catalogue_split/{training.name}"
    data_dir = folders["examples"].parents[1]
    dataset = build(folders["manifest"], training.audio_dir, data_dir, name, progress=on_build)
    changes = {} if training.max_epochs is None else {"max_epochs": training.max_epochs}
    config = replaced(PRESETS[training.preset], changes)
    train_run(config, dataset, folders["run"], stop=stop, on_progress=on_progress)
    return folders["run"]


def catalogues_of(run: Run) -> list[Catalogue]:
    """The annotations that a run knows, a catalogue for each tag system.

    >>> from tagjax import load_run
    >>> [catalogue.prefix for catalogue in catalogues_of(load_run("runs/catalogue_split/mine"))]
    ['', 'x:']
    """
    vocabulary, merging = whole(run.vocabulary)
    excerpts = run.predictions.excerpts
    _, first = np.unique(np.array(excerpts["sng_id"]), return_index=True)
    rows = np.sort(first)
    tags = scipy.sparse.csr_array(sparse_rows(Rows(run.predictions.occurrences, rows)) @ merging)
    found = []
    for system in vocabulary.systems:
        members = {
            place: vocabulary.tags[place][len(system) :] for place in vocabulary.members(system)
        }
        own = [
            tuple(members[place] for place in tags[[row]].indices.tolist() if place in members)
            for row in range(len(rows))
        ]
        kept = [row for row in range(len(rows)) if own[row]]
        track, artist = (
            tuple(str(excerpts[column][rows[row]]) for row in kept)
            for column in ("sng_id", "artist_id")
        )
        albums, tags_of = ("",) * len(kept), tuple(own[row] for row in kept)
        found.append(Catalogue(system, track, artist, albums, tags_of, annotates="track"))
    return [catalogue for catalogue in found if len(catalogue)]
