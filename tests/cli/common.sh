# common.sh: what the command line's tests share. Sourced with
#   tern        the command
#   json_check  the JSON checker
#   source      the project's folder
# in the environment. A test calls the functions below and ends with `finish`.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$work/out
err=$work/err
failures=0
checks=0

# run STATUS ARGUMENTS...: runs tern and compares its exit status.
run() {
    local wanted=$1 status=0
    shift
    last="tern $*"
    "$tern" "$@" >"$out" 2>"$err" || status=$?
    check "$last: exit status $status, not $wanted: $(<"$err")" [ "$status" -eq "$wanted" ]
}

# check TEXT COMMAND...: counts a failure, with that text, where the command fails.
check() {
    local text=$1
    shift
    checks=$((checks + 1))
    if ! "$@"; then
        failures=$((failures + 1))
        echo "FAILED: $text"
    fi
}

# The last command said exactly one line on standard error, which begins so and holds the words.
complains() {
    local begin=$1 lines
    shift
    lines=$(wc -l <"$err")
    check "$last: $lines lines on standard error, not 1" [ "$lines" -eq 1 ]
    check "$last: the message does not begin with '$begin': $(cat "$err")" \
        grep -q "^$begin" "$err"
    for word in "$@"; do
        check "$last: '$word' is not in: $(cat "$err")" grep -qF -- "$word" "$err"
    done
}

# Standard output holds the text.
says() {
    check "$last: the output does not hold '$1'" grep -qF -- "$1" "$out"
}

silent() {
    check "$last: unexpected output: $(head -c 200 "$out")" [ ! -s "$out" ]
}

# Standard output is JSON with these paths.
json() {
    check "$last: not the right JSON" "$json_check" "$@" <"$out"
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ] && [ "$checks" -gt 0 ]
}
