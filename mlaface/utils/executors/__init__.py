"""Work in pieces, and where they run: this machine, a Ray cluster, a Slurm array.

``job.py`` says what a piece is and when it is done, ``worker.py`` makes one, an executor (``base.py``) says where.
"""
