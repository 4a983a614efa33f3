"""The last thing before the harness: ties the life of this process to the kernel's, and sets its limits."""

import os


def prepare(text):
    import json

    limits = json.loads(text)
    _die_with(limits["parent"])
    try:
        import resource
    except ImportError:
        return
    _lower(resource, resource.RLIMIT_CORE, 0)
    _lower(resource, resource.RLIMIT_NOFILE, limits["open_files_max"])
    _lower(resource, resource.RLIMIT_FSIZE, limits["artifact_bytes_max"])
    if limits["memory_bytes"] is not None:
        _lower(resource, resource.RLIMIT_AS, limits["memory_bytes"])
    if limits["cpu_seconds"] is not None:
        # The signal that says why comes first; two seconds later the one that nobody survives.
        _lower(resource, resource.RLIMIT_CPU, limits["cpu_seconds"], 2)


def _die_with(parent):
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    except Exception:
        return
    # The kernel may have died before the line above; then nobody would stop this process.
    if os.getppid() != parent:
        os._exit(1)


def _lower(resource, which, wanted, more=0):
    _, hard = resource.getrlimit(which)

    def value(number):
        return number if hard == resource.RLIM_INFINITY else min(number, hard)

    resource.setrlimit(which, (value(wanted), value(wanted + more)))
