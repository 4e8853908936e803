"""Makes a table of vectors by track with the pretrained networks of musicnn.

    pip download --no-deps musicnn==0.1.0
    python -m launch.embed --weights=musicnn-0.1.0-py3-none-any.whl \\
        --tracks=tracks.csv --audio_dir=music --out=vectors.npz

Nothing has to be trained, and the table serves wherever a table of features does. Tracks that
cannot be decoded are skipped, and listed with a reason in vectors.skipped.csv beside the table. If
their share is larger than --max_skipped, the exit code is 3. An interrupted program goes on, and
tracks that the table has already are not computed again.
"""

from absl import flags

from launch import program
from launch.bars import excerpts_bar
from tagjax.base.errors import InputError
from tagjax.catalogue.annotations import read_tracks

_TRACKS = flags.DEFINE_string("tracks", None, "CSV file: track_id,path.")
_AUDIO_DIR = flags.DEFINE_string("audio_dir", None, "Folder that the paths are relative to.")
_WEIGHTS = flags.DEFINE_string(
    "weights", None, "The wheel of musicnn 0.1.0, or a folder it was unpacked into."
)
_OUT = flags.DEFINE_string("out", "vectors.npz", "File for the table.")
_MODEL = flags.DEFINE_enum(
    "model",
    "both",
    ["MSD", "MTT", "both"],
    "Trained on the Million Song Dataset, on MagnaTagATune, or both vectors side by side.",
)
_SECONDS = flags.DEFINE_float("seconds", 30.0, "How much of the beginning of a track counts.")
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Processes that decode; by default one for each core.", lower_bound=0
)
_FILE_SECONDS = flags.DEFINE_float(
    "file_seconds", 30.0, "A file that takes longer to decode is skipped.", lower_bound=0.1
)
_MAX_SKIPPED = flags.DEFINE_float(
    "max_skipped",
    0.01,
    "Share of the tracks that may be skipped; if more are, the exit code is 3.",
    lower_bound=0.0,
    upper_bound=1.0,
)


def main() -> int:
    """Makes the table; returns the exit code."""
    for flag in (_TRACKS, _AUDIO_DIR):
        if not flag.value:
            raise InputError(f"--{flag.name}: name it; see --help")
    tracks = read_tracks(_TRACKS.value)
    from tagjax.run import vectors  # Every worker imports this program, and needs no JAX.

    if not _WEIGHTS.value:
        raise InputError(f"--weights: name the wheel that this fetches: {vectors.FETCH}")
    models = vectors.MODELS if _MODEL.value == "both" else (_MODEL.value,)
    report = vectors.write_vectors(
        _OUT.value,
        tracks,
        _AUDIO_DIR.value,
        vectors.read_weights(_WEIGHTS.value, models),
        vectors.VectorsConfig(_SECONDS.value, _WORKERS.value, _FILE_SECONDS.value),
        excerpts_bar,
    )
    print("\n".join(report.lines()))
    return program.code_of_skipped(
        len(report.skipped), f"{len(tracks)} tracks", _MAX_SKIPPED.value, "the table has all others"
    )


if __name__ == "__main__":
    program.run(main)
