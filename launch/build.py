"""Builds a TFDS data set of log-mel excerpts from a manifest and its audio.

    python -m launch.build --dataset=synthetic_split/translation

    python -m launch.build --dataset=catalogue_split/mine \\
        --manifest_dir=data/manifests/mine --audio_dir=music

Excerpts that are missing, silent or cannot be decoded are skipped, and listed with a reason in
skipped.csv beside the examples. If the skipped share is larger than --max_skipped, the data set
still gets all other excerpts, but the exit code is 3. A data set that is built already is not built
again, and an interrupted build goes on.
"""

import os
import shlex
from typing import TYPE_CHECKING

from absl import flags

from launch import program
from launch.bars import excerpts_bar
from tagjax.base.errors import InputError
from tagjax.examples import audio
from tagjax.examples import workers as extraction

if TYPE_CHECKING:
    from tagjax.examples.reports import BuildReport

_DATASET = flags.DEFINE_string("dataset", "synthetic_split", "NAME or NAME/CONFIG to build.")
_MANIFEST_DIR = flags.DEFINE_string("manifest_dir", None, "Folder with the manifest.")
_AUDIO_DIR = flags.DEFINE_string("audio_dir", None, "Folder with the audio files.")
_DATA_DIR = flags.DEFINE_string("data_dir", "data/tfds", "Folder for the built data sets.")
_MEL_DTYPE = flags.DEFINE_string(
    "mel_dtype", "float16", f"Type of the stored log-mels: {', '.join(extraction.MEL_DTYPES)}."
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    None,
    "Processes that decode; by default one for each core; 0: decode in this process, which a "
    "broken file may then crash.",
    lower_bound=0,
)
_FILE_SECONDS = flags.DEFINE_float(
    "file_seconds", 30.0, "An excerpt that takes longer is skipped.", lower_bound=0.1
)
_STRICT = flags.DEFINE_bool(
    "strict", False, "Stop at an excerpt whose file is missing, or ends before the excerpt starts."
)
_KEEP_SILENT = flags.DEFINE_bool(
    "keep_silent",
    False,
    "Also make examples of excerpts in which nothing can be heard: silent, nearly silent, or with "
    "channels that cancel; by default they are skipped and listed.",
)
_MAX_SKIPPED = flags.DEFINE_float(
    "max_skipped",
    0.01,
    "Share of the excerpts that may be skipped; if more are, the exit code is 3.",
    lower_bound=0.0,
    upper_bound=1.0,
)
_BEAM_RUNNER = flags.DEFINE_string(
    "beam_runner", None, "Build on this Apache Beam runner (DirectRunner, DataflowRunner, ...)."
)
_BEAM_OPTIONS = flags.DEFINE_list(
    "beam_options", [], "Options of the runner, such as --project=P,--region=R."
)


def _beam() -> tuple[str, object] | None:
    """(runner, options) that the flags name.

    Raises:
      InputError: Apache Beam is not installed, or options are given without a runner.
    """
    if _BEAM_RUNNER.value is None:
        if _BEAM_OPTIONS.value:
            raise InputError("--beam_options: name the runner too, by --beam_runner")
        return None
    try:
        from apache_beam import runners
        from apache_beam.options import pipeline_options
    except ImportError:
        raise InputError("--beam_runner needs Apache Beam: pip install -e .[beam]") from None
    try:
        runners.create_runner(_BEAM_RUNNER.value)
    except (ImportError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--beam_runner={_BEAM_RUNNER.value}: {reason}") from None
    return _BEAM_RUNNER.value, pipeline_options.PipelineOptions(_BEAM_OPTIONS.value)


def _next(report: "BuildReport") -> str:
    """The command that trains on the data set."""
    dataset = report.name.rpartition("/")[0]
    few = report.excerpts < program.SMALL or any(part.startswith("fold_") for part in report.counts)
    preset = "small" if dataset.startswith("synthetic") else "catalogue" if few else "paper"
    words = ["python -m launch.train", shlex.quote(f"--dataset={dataset}"), f"--preset={preset}"]
    if _DATA_DIR.value != _DATA_DIR.default:
        words.insert(2, shlex.quote(f"--data_dir={_DATA_DIR.value}"))
    return " ".join(words)


def main() -> int:
    """Builds the data set that the flags describe; returns the exit code."""
    if _MEL_DTYPE.value not in extraction.MEL_DTYPES:
        raise InputError(
            f"--mel_dtype={_MEL_DTYPE.value}: one of {', '.join(extraction.MEL_DTYPES)}"
        )
    # Imported here because every worker imports this program and needs no TFDS.
    import datasets
    from tagjax.examples import build

    config = extraction.BuildConfig(
        decode=audio.AudioConfig(skip_silent=not _KEEP_SILENT.value),
        mel_dtype=_MEL_DTYPE.value,
        workers=_WORKERS.value,
        strict=_STRICT.value,
        file_seconds=_FILE_SECONDS.value,
    )
    builder = datasets.make_builder(
        _DATASET.value, _DATA_DIR.value, _MANIFEST_DIR.value, _AUDIO_DIR.value, config
    )
    report = build.prepare(builder, _beam(), excerpts_bar)
    print("\n".join(report.lines()))
    print(f"next: {_next(report)}")
    return program.code_of_skipped(
        report.skipped,
        f"{report.excerpts} excerpts",
        _MAX_SKIPPED.value,
        "the data set has all other excerpts",
    )


if __name__ == "__main__":
    # TFDS reads a source's metadata from the cloud unless it is told not to.
    os.environ.setdefault("NO_GCE_CHECK", "true")
    program.run(main)
