#!/bin/bash
# conformance: the project's own vectors pass; what cannot run, or does not match, fails.
. "$(dirname "$0")/common.sh"
vectors=$source/tests/vectors

# Many property checks once, and a small part of each operation's wherever all else is run.
run 0 conformance --device cpu_ref --filter 'properties/*' --sample 4 --quiet
says " 0 failed"
passed=$(sed -n 's/^cpu_ref: \([0-9]*\) cases passed.*/\1/p' "$out")
check "only $passed property checks" [ "${passed:-0}" -ge 30000 ]
few=(--sample 40)

run 0 conformance --device cpu_ref --vectors "$vectors" "${few[@]}" --json
json device=cpu_ref cases passed failed=0 skipped subjects/ops%add/cases subjects/ops%add/passed \
    subjects/ops%add/failed=0 subjects/ops%add/skipped=0 subjects/random/failed=0 subjects/init/failed=0 \
    subjects/training%linear_regression/failed=0 subjects/optim%SGD/failed=0 \
    subjects/modules%Linear/failed=0 subjects/schedulers/failed=0 'failures=[]' \
    accuracy/median_error_ratio accuracy/exact_share
cp "$out" "$work/report.json"
echo "own vectors: $(grep -o '^{"device": "[^"]*", "cases": [0-9]*, "passed": [0-9]*' "$out")"

for device in "$@"; do
    run 0 conformance --device "$device" --vectors "$vectors" --sample 24 --quiet
    says "$device"
    says " 0 failed"
done

run 0 conformance --device cpu_ref --vectors "$vectors" --filter 'ops/a*'
says "0 failed"
run 0 conformance --device cpu_ref --vectors "$vectors" --filter 'exp,ops/a?s' --list
check "two patterns: $(cut -d: -f1 "$out" | sort -u | tr '\n' ' ')" \
    [ "$(cut -d: -f1 "$out" | sort -u | tr '\n' ' ')" = "ops/abs ops/exp " ]
run 0 conformance --device cpu_ref --vectors "$vectors" --replay ops/add:3
says "1 cases passed"
run 0 conformance --device cpu_ref --filter 'properties/*' --sample 20 --seed 5 --quiet
says " 0 failed"

# Without fused kernels: all, or a family of them. A failure's line says so.
run 0 conformance --device cpu_ref --vectors "$vectors" "${few[@]}" --composed --quiet
says " 0 failed"
run 0 conformance --device cpu_ref --vectors "$vectors" --filter 'ops/*' --composed=map,softmax
says "0 failed"
run 1 conformance --device cpu_ref --composed=soft
complains "tern conformance: " "'soft'" "log_softmax"

# The cases by name, the score of a family of kernels, JUnit's XML, and what to do next.
run 0 conformance --device cpu_ref --vectors "$vectors" --list --filter 'ops/add'
says "ops/add:0"
run 0 conformance --device cpu_ref --vectors "$vectors" --filter 'ops/*' --junit "$work/junit.xml"
says "passed by family:"
says "unary "
check "no JUnit" grep -q '<testcase classname="ops/add" name="0"/>' "$work/junit.xml"
run 1 conformance --device cpu_ref --filter 'properties/values' "${few[@]}" --junit "$work/absent/junit.xml"
complains "tern conformance: " "cannot be written"
if [ $# -gt 1 ]; then
    run 0 conformance --device minimal --vectors "$vectors" --filter 'ops/*'
    says "next: fused 'map' would save"
fi

# No test run is a failure, as are a missing folder and a missing device.
run 1 conformance --device cpu_ref --vectors "$vectors" --filter 'no/such'
complains "tern conformance: " "no test ran"
run 1 conformance --device cpu_ref --vectors "$vectors" --replay ops/add:999
complains "tern conformance: " "no test ran"
run 1 conformance --device cpu_ref --vectors "$work/absent"
complains "tern conformance: " "absent"
TERN_VECTORS=$work/absent run 1 conformance --device cpu_ref
complains "tern conformance: " "absent"

# A file that is damaged, and a result that differs, fail with the line that replays them.
mkdir -p "$work/damaged/ops" "$work/wrong/ops"
head -c 200 "$vectors/ops/abs.safetensors" >"$work/damaged/ops/abs.safetensors"
run 1 conformance --device cpu_ref --vectors "$work/damaged" --filter 'ops/*'
says "FAILED ops/abs:file"

# The cases of `exp` under the name `sin`: every value is wrong.
sed 's/"name":"exp"/"name":"sin"/' "$vectors/ops/exp.safetensors" >"$work/wrong/ops/sin.safetensors"
run 1 conformance --device cpu_ref --vectors "$work/wrong" --filter 'ops/*' --json
json failed subjects/ops%sin/passed=0 failures/0/subject=ops/sin failures/0/id=0 failures/0/what \
    "failures/0/replay=tern conformance --device cpu_ref --vectors $work/wrong --replay ops/sin:0"
complains "tern conformance: " "failed"
run 1 conformance --device cpu_ref --vectors "$work/wrong" --filter 'ops/*' --composed
says "--replay ops/sin:0" "--composed=all"

# A subject that Tern does not have is skipped by name and counted.
sed 's/"name":"exp"/"name":"xxx"/' "$vectors/ops/exp.safetensors" >"$work/wrong/ops/xxx.safetensors"
run 1 conformance --device cpu_ref --vectors "$work/wrong" --filter 'ops/xxx' --json
json 'passed=0' 'subjects/ops%xxx/skipped' 'skipped/not implemented'

# A device that crashes or hangs fails the cases in which it does, and the others still run.
if [ $# -gt 1 ]; then # where the test backends are
    # mutant BUG: the faulty device that has it.
    mutant() { "$tern" devices --probe | sed -n "s/.*\(faulty:[0-9]*\) .* defect $1: .*/\1/p"; }
    run 1 conformance --device "$(mutant crashes)" --filter properties/values
    says "FAILED properties/values:sort#1/float32/0: the process crashed: Aborted"
    says "given up after cases that crashed or hung"
    run 1 conformance --device "$(mutant crashes)" "${few[@]}"
    says "FAILED properties/gradients:"

    # A failure's line has the seed, and replays the case that failed.
    exact=$(mutant bfloat16_truncates)
    run 1 conformance --device "$exact" --filter properties/edges --seed 3
    says "--seed 3 --replay properties/edges:"
    replay=$(sed -n 's/^  replay: tern //p' "$out" | head -1)
    read -ra words <<<"$replay"
    run 1 "${words[@]}"
    complains "tern conformance: " "1 of 1 cases failed"
    run 1 conformance --device "$(mutant hangs)" --timeout 1 --filter properties/values
    says "FAILED properties/values:sort#1/float32/0: took longer than 1 s and was given up"

    # Devices that are known to be wrong: what caught each, and which are missed.
    defects=wrong_broadcast,dropped_tail,unwritten_scalar,ignored_stride,ignored_output_stride,ignored_offset
    defects+=,stale_upload,late_launch,memory_twice,reduce_off_by_one
    run 0 conformance --mutants=$defects --timeout 5
    says "10 of 10 defects are caught"
    run 0 conformance --mutants=crashes,hangs --timeout 1 --json
    json mutants=2 caught=2 rows/0/device rows/0/defect=crashes rows/0/by rows/0/what rows/0/seconds
    run 1 conformance --mutants=no_such_defect
    complains "tern conformance: " "no device has a defect"

    # It ends within a second when it is told to, with the report so far.
    "$tern" conformance --device "$(mutant hangs)" --timeout 100 >"$out" 2>"$err" &
    sleep 1.5
    kill "$!"
    status=0
    wait "$!" || status=$?
    check "an interrupted run ends with status $status, not 1" [ "$status" = 1 ]
    complains "tern conformance: " "interrupted"
    says "cases passed"
fi

# The full set, where it is named.
if [ -n "${TERN_VECTORS:-}" ]; then
    run 0 conformance --device cpu_ref "${few[@]}" --json
    json failed=0
    echo "TERN_VECTORS: $(grep -o '^{"device": "[^"]*", "cases": [0-9]*, "passed": [0-9]*' "$out")"
fi
finish
