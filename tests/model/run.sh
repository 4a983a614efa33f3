#!/bin/sh
# Runs tests/model/tasks.yml against a small model: every piece of code is asked about and approved, then the results are
# compared with what is right. Where nothing serves a model at that port, serve.sh is started, and ended again; where
# there is no program yet, it is built.
#
#   tests/model/run.sh FOLDER [PORT]
#
# It fails when the run does not end well, or nothing was right. That all numbers are right it prints and does not
# demand: the model is small.
set -eu

folder=${1:?the folder that keeps the model and the runs}
export MODEL_PORT="${2:-18080}"
here=$(cd "$(dirname "$0")" && pwd)
stepwell=${STEPWELL:-$here/../../target/debug/stepwell}
python=${STEPWELL_TEST_PYTHON:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# The prompt lists what is installed. Here that is nothing, so that the model is asked the same on every machine.
export MODEL_PYTHON="$folder/bare"
if [ ! -x "$MODEL_PYTHON/bin/python" ]; then
    "$python" -m venv --without-pip "$MODEL_PYTHON"
fi

if [ ! -x "$stepwell" ]; then
    (cd "$here/../.." && cargo build --locked --quiet)
fi

healthy() {
    "$python" -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$MODEL_PORT/health', timeout=5)" 2>/dev/null
}

if ! healthy; then
    "$here/serve.sh" "$folder" "$MODEL_PORT" >"$folder/serve.log" 2>&1 &
    server=$!
    trap 'kill "$server" 2>/dev/null || true' EXIT
    tries=0
    until healthy; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
            echo "no model is served at port $MODEL_PORT; the end of serve.log:" >&2
            tail -n 5 "$folder/serve.log" >&2
            exit 1
        fi
        sleep 1
    done
fi

run() {
    "$stepwell" --data "$folder/runs" --config "$here/config.yml" "$@"
}

begun=$(date +%s)
status=0
run run "$here/tasks.yml" >"$folder/run.log" 2>&1 || status=$?
rounds=0
while [ "$status" -eq 3 ] && [ "$rounds" -lt 60 ]; do
    rounds=$((rounds + 1))
    asked=$(run approvals --json | sed -n 's/.*"approval_id": *"\([^"]*\)".*/\1/p' | head -n 1)
    status=0
    run approve "$asked" --resume >>"$folder/run.log" 2>&1 || status=$?
done
run events @last --json >"$folder/events.json"
run show @last --json >"$folder/show.json"
seconds=$(($(date +%s) - begun))
echo "asked and approved $rounds times in $seconds seconds; the run ended with code $status; all it said is in run.log"
echo
judged=0
"$python" "$here/judge.py" "$folder/events.json" "$folder/show.json" || judged=$?
[ "$status" -eq 0 ] && [ "$judged" -eq 0 ]
