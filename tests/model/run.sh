#!/bin/sh
# Runs tests/model/tasks.yml against the model that serve.sh serves: every piece of code is asked about and approved.
#
#   tests/model/run.sh FOLDER [PORT]
#
# It fails when the run does not end well. That the numbers are right it prints and does not demand: the model is small.
set -eu

folder=${1:?the folder that keeps the runs}
export MODEL_PORT="${2:-18080}"
here=$(cd "$(dirname "$0")" && pwd)
stepwell=${STEPWELL:-$here/../../target/debug/stepwell}

tries=0
until curl --silent --fail "http://127.0.0.1:$MODEL_PORT/health" >/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ]; then
        echo "nothing serves a model at port $MODEL_PORT" >&2
        exit 1
    fi
    sleep 1
done

run() {
    "$stepwell" --data "$folder/runs" --config "$here/config.yml" "$@"
}

status=0
run run "$here/tasks.yml" || status=$?
rounds=0
while [ "$status" -eq 3 ] && [ "$rounds" -lt 20 ]; do
    rounds=$((rounds + 1))
    asked=$(run approvals --json | sed -n 's/.*"approval_id": *"\([^"]*\)".*/\1/p' | head -n 1)
    status=0
    run approve "$asked" --resume || status=$?
done
run show @last
exit "$status"
