"""tagjax: understand and reconcile music genre tags by listening.

A JAX implementation and extension of Hennequin, Royo-Letelier and Moussallam,
"Audio based disambiguation of music genre tags", ISMIR 2018.
"""

__version__ = "0.1.0"
