"""The main module of a process that multiprocessing spawned: the user's code with the names that it knows."""

import os

import stepwell_harness

stepwell_harness.spawned(globals(), os.environ["STEPWELL_FOLDER"])
