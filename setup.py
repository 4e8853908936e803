"""Packaging of tagjax; versions that are known to work together are in requirements.lock."""

import setuptools

setuptools.setup(
    name="tagjax",
    version="0.1.0",
    description="Understand and reconcile music genre tags by listening",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=setuptools.find_packages(include=["tagjax*", "launch*", "datasets*"]),
    package_data={
        "tagjax": ["data/*", "templates/*"],
        "": ["README.md", "CITATIONS.bib", "TAGS.txt"],
    },
    install_requires=[
        "absl-py",
        "array_record",
        "flax",
        "importlib_resources",
        "jax",
        "jinja2",
        "matplotlib",
        "numpy",
        "optax",
        "orbax-checkpoint",
        "plotly",
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
        "test": [
            "dill",
            "hypothesis",
            "librosa",
            "mypy",
            "pandas",
            "pytest",
            "pytest-xdist",
            "ruff",
            "tensorflow-cpu",
        ],
        "keras": ["tensorflow-cpu", "keras"],
        "bench": ["tensorflow-cpu", "keras", "torch", "pandas", "librosa"],
        "gpu": ["jax[cuda12]"],
    },
)
