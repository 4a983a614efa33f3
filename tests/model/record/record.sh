#!/bin/sh
# Records the answers of a small model that the tests read (tests/fixtures/model): Stepwell asks, each answer is kept as
# it came over the wire. A model must be served already: tests/model/serve.sh.
#
#   tests/model/record/record.sh FOLDER [PORT [PORT_BETWEEN]]
#
# FOLDER gets the answers and the run; `cp FOLDER/answers/* tests/fixtures/model/` takes them over. NAME.json is the body
# of an answer that came at once; NAME.stream a whole answer in pieces, head and chunks too; NAME.length one that was
# cut off at 8 tokens; NAME.refused what is said of a prompt that is too long.
set -eu

folder=${1:?the folder that gets the answers}
port=${2:-18080}
export TEE_PORT="${3:-18081}"
here=$(cd "$(dirname "$0")" && pwd)
stepwell=${STEPWELL:-$here/../../../target/debug/stepwell}
python=${STEPWELL_TEST_PYTHON:-python3}
mkdir -p "$folder/answers"
folder=$(cd "$folder" && pwd)
# As in run.sh: nothing is installed that the prompt would list.
export MODEL_PYTHON="$folder/bare"
if [ ! -x "$MODEL_PYTHON/bin/python" ]; then
    "$python" -m venv --without-pip "$MODEL_PYTHON"
fi
: >"$folder/tee.log"

"$python" "$here/tee.py" "$folder/answers" "$TEE_PORT" "$port" >"$folder/tee.log" 2>&1 &
between=$!
trap 'kill "$between" 2>/dev/null || true' EXIT
tries=0
until grep -q "^between" "$folder/tee.log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ] || ! kill -0 "$between" 2>/dev/null; then
        echo "nothing stands between; the end of tee.log:" >&2
        tail -n 5 "$folder/tee.log" >&2
        exit 1
    fi
    sleep 1
done

# More words than the model's context has room for.
many=$(yes word | head -n 6000 | tr '\n' ' ')
"$stepwell" --data "$folder/runs" --config "$here/config.yml" run "$here/record.yml" --input many="$many" \
    >"$folder/run.log" 2>&1 || true
"$stepwell" --data "$folder/runs" --config "$here/config.yml" list >>"$folder/run.log"

missing=0
for protocol in openai openai_responses anthropic; do
    for form in json stream length refused; do
        if [ ! -s "$folder/answers/$protocol.$form" ]; then
            echo "$protocol.$form was not answered; see $folder/run.log" >&2
            missing=1
        fi
    done
done
ls -l "$folder/answers"
exit "$missing"
