"""Packaging of tagjax; versions that are known to work together are in requirements/."""

import setuptools

setuptools.setup(
    name="tagjax",
    version="0.1.0",
    description="Understand and reconcile music genre tags by listening",
    license="Apache-2.0",
    python_requires=">=3.11",
    # Installed, `datasets` and `launch` would shadow packages of others: they run from the clone.
    packages=setuptools.find_packages(include=["tagjax", "tagjax.*"]),
    package_data={"tagjax": ["*/data/*", "*/templates/*"]},
    install_requires=[
        "absl-py",
        "array_record",
        "flax",
        "httpx",
        "importlib_resources",
        "jax",
        "jinja2",
        "matplotlib",
        "numpy",
        "optax",
        "orbax-checkpoint",
        "scikit-learn",
        "scipy",
        "soundfile",
        "soxr",
        "tensorboardX",
        "tensorflow-datasets",
        "threadpoolctl",
        "tqdm",
    ],
    extras_require={
        "library": ["mutagen"],  # GPL-2.0-or-later: never a dependency, see BUILD_NOTES.md.
        "test": [
            "dill",
            "hypothesis",
            "ipykernel",
            "librosa",
            "mutagen",
            "mypy",
            "nbclient",
            "nbformat",
            "pandas",
            "pytest",
            "pytest-xdist",
            "ruff",
            "tensorflow-cpu",
        ],
        "keras": ["tensorflow-cpu", "keras"],
        "bench": ["tensorflow-cpu", "keras", "torch", "pandas", "librosa", "rapidfuzz"],
        "beam": ["apache-beam"],
        "fuzz": ["atheris"],
        "gpu": ["jax[cuda12]"],
    },
)
