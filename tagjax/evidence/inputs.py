"""Where evidence comes from: a finished run, or annotations with or without vectors by track."""

import collections
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.base.errors import InputError
from tagjax.catalogue.annotations import Catalogue
from tagjax.evidence.weigh import Common
from tagjax.similarity.embeddings import Rows
from tagjax.similarity.observations import (
    NoTracksError,
    Observations,
    artists_of,
    numbered,
    observe,
    sparse_rows,
    whole,
)
from tagjax.similarity.run import Run
from tagjax.vocabulary.vocabulary import Vocabulary


def of_run(run: Run) -> tuple[Observations | None, Common | None]:
    """(tracks that were heard, tracks of several catalogues) of a run; None where there is none.

    >>> from tagjax import load_run
    >>> observed, common = of_run(load_run("runs/catalogue_split/mine"))
    >>> observed.vocabulary.systems, common
    (('', 'x:'), None)

    Reference: section 4 of the paper has tracks of both catalogues,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    vocabulary, merging = whole(run.vocabulary)
    rows = run.overlap()
    tracks = np.array(run.predictions.excerpts["sng_id"])
    rows = rows[np.sort(np.unique(tracks[rows], return_index=True)[1])]
    overlap = Rows(run.predictions.occurrences, rows)
    order = np.argsort(tracks[rows])  # By their names, whatever machine predicted them when.
    tags = scipy.sparse.csr_array(sparse_rows(overlap) @ merging)[order] if len(rows) else None
    artist = [run.predictions.excerpts["artist_id"][row] for row in rows[order].tolist()]
    try:
        observed = run.observed
    except NoTracksError:
        observed = None
    return observed, common(vocabulary, tags, artist)


def of_catalogues(
    catalogues: Sequence[Catalogue],
    features: tuple[Sequence[str], npt.NDArray] | None = None,
    least_tracks: int = 1,
) -> tuple[Observations | None, Common | None]:
    """(tracks that were heard, tracks of several catalogues) of tables of annotations.

    Args:
      catalogues: annotated tracks, one for each tag system.
      features: track ids, and vectors float [tracks, D] by any model; None: nothing was heard.
      least_tracks: a tag needs so many tracks.

    Raises:
      InputError: prefixes that are alike; no tag of enough tracks; vectors of none of the tracks,
        or as `observe`.

    >>> a = Catalogue("a:", ("t1", "t2"), ("r1", "r2"), ("", ""), (("dub",), ("ska",)))
    >>> b = Catalogue("b:", ("t2", "t3"), ("r2", "r3"), ("", ""), (("ska",), ("bop",)))
    >>> observed, common = of_catalogues([a, b], (["t1", "t2", "t3"], np.eye(3)))
    >>> observed.track_id, common.tags.shape
    (('t1', 't3'), (1, 4))

    Reference: section 4 of the paper has tracks of both catalogues,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    prefixes = [catalogue.prefix for catalogue in catalogues]
    check_prefixes(prefixes)
    tagged: dict[str, set[str]] = {}
    artist: dict[str, str] = {}
    for catalogue in catalogues:
        rows = zip(catalogue.track_id, catalogue.artist_id, catalogue.tags, strict=True)
        for track, who, own in rows:
            tagged.setdefault(track, set()).update(catalogue.prefix + tag for tag in own)
            artist.setdefault(track, who)
    counts = collections.Counter(tag for own in tagged.values() for tag in own)
    vocabulary = Vocabulary.of(
        sorted(tag for tag, count in counts.items() if count >= least_tracks), prefixes
    )
    if not len(vocabulary):
        raise InputError(f"no tag has {least_tracks} tracks; see --least_tracks")
    tracks = sorted(tagged)
    tags = _matrix(tagged, tracks, vocabulary)
    systems = np.array([[name == s for s in vocabulary.systems] for name in vocabulary.system])
    both = ((tags @ systems) > 0).sum(axis=1) > 1
    shared = np.flatnonzero(both)
    names = [artist[tracks[row]] for row in shared.tolist()]
    found = common(vocabulary, scipy.sparse.csr_array(tags[shared]), names)
    if features is None:
        return None, found
    ids, vectors = features
    known = [row for row, track in enumerate(ids) if track in tagged]
    if not known:
        raise InputError(
            f"--features: none of the {len(ids)} vectors is of an annotated track; their ids begin "
            f"with {ids[0]!r}, those of --annotations with {tracks[0]!r}"
        )
    heard = [ids[row] for row in known]
    occurrences = _matrix(tagged, heard, vocabulary)
    artists = [artist[track] for track in heard]
    return observe(Rows(vectors, np.array(known)), occurrences, vocabulary, heard, artists), found


def check_prefixes(prefixes: Sequence[str]) -> None:
    """Refuses prefixes by which tags cannot be told apart."""
    if len({*prefixes}) < len(prefixes):
        raise InputError(f"the catalogues' prefixes are alike: {','.join(prefixes)}; see --prefix")
    for prefix in prefixes:
        longer = [other for other in prefixes if other != prefix and other.startswith(prefix)]
        if prefix and longer:
            raise InputError(
                f"prefix {longer[0]!r} begins with {prefix!r}, so tags cannot be told apart; give "
                "others, such as --prefix=a:,b:"
            )


def common(
    vocabulary: Vocabulary, tags: scipy.sparse.csr_array | None, artist: Sequence[str] = ()
) -> Common | None:
    """Tracks with tags of several catalogues; None if there are none.

    Args:
      vocabulary: the N whole tags.
      tags: {0, 1} sparse [tracks, N].
      artist: of each track, "" if unknown; may be left out.
    """
    if tags is None or not tags.nnz or len(vocabulary.systems) < 2:
        return None
    tags = scipy.sparse.csr_array(tags)
    number, _ = numbered(artist or [""] * tags.shape[0])
    return Common(vocabulary, tags, artists_of(tags, number))


def _matrix(
    tagged: Mapping[str, set[str]], tracks: Sequence[str], vocabulary: Vocabulary
) -> scipy.sparse.csr_array:
    """{0, 1} sparse [tracks, N]."""
    cells = [
        (row, vocabulary.index[tag])
        for row, track in enumerate(tracks)
        for tag in tagged[track]
        if tag in vocabulary.index
    ]
    rows, columns = np.array(cells, np.int64).reshape(-1, 2).T
    shape = (len(tracks), len(vocabulary))
    return scipy.sparse.csr_array((np.ones(len(cells)), (rows, columns)), shape)
