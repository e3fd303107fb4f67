# The beginning of every page's shell. A block that fails ends it; $BOOK_WORK/at says which.
set -euo pipefail

# take N: the text of block N in $text, with the keys and tokens that the page has made by now.
take() {
    echo "$1" >"$BOOK_WORK/at"
    text=$(cat "$BOOK_WORK/blocks/$1"; printf x)
    text=${text%x}
    [ -z "${ENROLMENT_TOKEN:-}" ] || text=${text//astra_enroll_…/"$ENROLMENT_TOKEN"}
    [ -z "${AGENT_TOKEN:-}" ] || text=${text//astra_agent_…/"$AGENT_TOKEN"}
    [ -z "${KEY:-}" ] || text=${text//astra_…/"$KEY"}
}

run_block() {
    eval "$text" >"$BOOK_WORK/out/$1" 2>&1 </dev/null
}

run_block_until_code() {
    local code=0
    (eval "$text") >"$BOOK_WORK/out/$1" 2>&1 </dev/null || code=$?
    [ "$code" = "$2" ] || { echo "it ended with $code and not with $2"; exit 1; }
}

run_python() {
    printf '%s\n' "$text" >"$BOOK_WORK/block.py"
    "$BOOK_PYTHON" "$BOOK_WORK/block.py" >"$BOOK_WORK/out/$1" 2>&1 </dev/null
}

write_file() {
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$text" >"$1"
}
