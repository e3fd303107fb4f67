# Sourced by steps that look at a running demonstration: `start_demo` serves it on a free port from a folder of its
# own and sets $demo_url, $demo_data, $demo_log, $key_starter, $key_professional, $key_enterprise; it ends with the
# script. $python is an interpreter with testing/requirements.txt.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$repository/target}
binary=${ASTRANETMON_TEST_BINARY:-$target/debug/astranetmon}
python=${ASTRANETMON_TEST_PYTHON:-$target/python/bin/python}

prepare_python() {
    local venv=$target/python
    if [ "$python" != "$venv/bin/python" ] || cmp -s "$repository/testing/requirements.txt" "$venv/requirements.txt"; then
        return
    fi
    [ -x "$python" ] || python3 -m venv "$venv"
    "$python" -m pip install --quiet --disable-pip-version-check -r "$repository/testing/requirements.txt"
    cp "$repository/testing/requirements.txt" "$venv/requirements.txt"
}

end_demo() {
    if [ -n "${demo_pid:-}" ]; then
        kill "$demo_pid" 2>/dev/null || true
        wait "$demo_pid" 2>/dev/null || true
    fi
    rm -rf "$demo_data"
}

start_demo() {
    local line
    prepare_python
    demo_data=$(mktemp -d)
    demo_log=$demo_data/log
    trap end_demo EXIT
    "$binary" demo --listen 127.0.0.1:0 --data "$demo_data/data" --format json >"$demo_data/out" 2>"$demo_log" &
    demo_pid=$!
    for _ in $(seq 600); do
        line=$(head -n 1 "$demo_data/out")
        [ -z "$line" ] || break
        kill -0 "$demo_pid" 2>/dev/null || { echo "the demonstration has ended:" >&2; cat "$demo_log" >&2; return 1; }
        sleep 0.1
    done
    [ -n "$line" ] || { echo "the demonstration does not serve within 60 s" >&2; return 1; }
    read -r demo_url key_starter key_professional key_enterprise < <("$python" -c '
import json, sys
demo = json.loads(sys.argv[1])
print(demo["url"], *(demo["keys"][plan] for plan in ("starter", "professional", "enterprise")))' "$line")
}
