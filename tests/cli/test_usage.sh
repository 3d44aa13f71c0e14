#!/bin/bash
# Wrong usage is exit status 2 with one line that names the mistake; --help is there for every verb.
. "$(dirname "$0")/common.sh"

verbs=("devices" "doctor" "ops" "op" "conformance" "train linear" "inspect" "convert" "summary" "bench" "tune" "train")

run 0 --help
for verb in "${verbs[@]}"; do says "  $verb"; done
run 0 --version
says "tern "
run 2
silent

for verb in "${verbs[@]}"; do
    # shellcheck disable=SC2086 # two words of a verb are two arguments
    run 0 $verb --help
    says "usage: tern $verb"
    for option in --device --json --seed --quiet --help; do says "$option"; done
    # shellcheck disable=SC2086
    run 2 $verb --devcie cpu_ref
    complains "tern $verb: " "--devcie" "did you mean --device?"
    # shellcheck disable=SC2086
    run 2 $verb --seed
    complains "tern $verb: " "--seed needs a value"
    # shellcheck disable=SC2086
    run 2 $verb --seed 1.5
    complains "tern $verb: " "--seed" "'1.5'"
    # shellcheck disable=SC2086
    run 2 $verb --json=yes
    complains "tern $verb: " "--json takes no value"
    # shellcheck disable=SC2086
    run 2 $verb -x
    complains "tern $verb: " "no option -x"
done

run 2 devcies
complains "tern: " "'devcies'" "did you mean 'devices'?"
run 2 zzzzzzzzzzzz
complains "tern: " "tern --help"
run 2 train
complains "tern train: " "RECIPE"
run 2 train liner
complains "tern train: " "'liner'"
run 0 train --help
says "train linear"
run 2 devices more
complains "tern devices: " "'more'"
run 2 op
complains "tern op: " "argument is missing"
run 2 op add more
complains "tern op: " "'more'"

# A number out of its range, and a number that is none.
run 2 train linear --points 1
complains "tern train linear: " "--points" "2"
run 2 train linear --epochs 0
complains "tern train linear: " "--epochs"
run 2 train linear --weight nan
complains "tern train linear: " "--weight" "nan"
run 2 train linear --weight 0.5x
complains "tern train linear: " "--weight" "0.5x"
run 2 train linear --points 99999999999999999999
complains "tern train linear: " "--points"
run 2 train linear --step -1
complains "tern train linear: " "--step"
run 2 conformance --replay nonsense
complains "tern conformance: " "--replay" "FILE:ID"

# Options after --, and the form with an equals sign.
run 2 devices -- --json
complains "tern devices: " "--json"
run 2 train linear --epochs=abc
complains "tern train linear: " "abc"

# A reader that goes away, and a full disk, are failed writes and no signal.
status=0
"$tern" ops --json >/dev/full 2>"$err" || status=$?
last="tern ops --json >/dev/full"
check "$last: exit status $status" [ "$status" -eq 1 ]
complains "tern ops: " "cannot write"
finish
