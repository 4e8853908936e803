"""Packaging of tagjax; versions that are known to work together are in requirements.lock."""

import setuptools

setuptools.setup(
    name="tagjax",
    version="0.1.0",
    description="Understand and reconcile music genre tags by listening",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=setuptools.find_packages(include=["tagjax*", "launch*", "datasets*"]),
    package_data={"tagjax": ["data/*"], "": ["README.md", "CITATIONS.bib", "TAGS.txt"]},
    install_requires=[
        "absl-py",
        "flax",
        "importlib_resources",
        "jax",
        "librosa",
        "matplotlib",
        "numpy",
        "optax",
        "orbax-checkpoint",
        "scikit-learn",
        "soundfile",
        "soxr",
        "tensorboardX",
        "tensorflow-datasets",
        "tqdm",
    ],
    extras_require={
        "test": [
            "dill",
            "hypothesis",
            "mypy",
            "pandas",
            "pytest",
            "pytest-xdist",
            "ruff",
            "tensorflow-cpu",
        ],
        "keras": ["tensorflow-cpu", "keras"],
        "bench": ["tensorflow-cpu", "keras", "torch", "pandas"],
        "gpu": ["jax[cuda12]"],
    },
)
