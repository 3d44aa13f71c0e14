#!/bin/bash
# planted: each fault of planted.txt, planted in a copy of backends/cuda, is caught by what tests it: a report of the
# driver that stands in, or a result that is wrong. Without a fault everything passes. TERN_LONG=1 plants all, else
# every fourth.
#   source, objects (of the plugin), exercise, library (the plugin that the manifest names), in the environment
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
caught=0 missed=0 total=0 all=0

# The manifest names a library beside its folder.
mkdir -p -m 755 "$work/tern/cuda.d" "$work/tern/cuda" "$work/code/backends"
cp "$manifests/cuda.tern" "$work/tern/cuda.d"
chmod 644 "$work/tern/cuda.d/cuda.tern"
cp -r "$source/backends/cuda" "$source/backends/gpu" "$source/backends/cpu_ref" "$work/code/backends"
export TERN_PLUGIN_PATH=$work/tern/cuda.d:$TERN_PLUGIN_PATH
cp "$library" "$work/tern/cuda/"
plugin=$work/tern/cuda/$(basename "$library")

# plant FILE OLD NEW: compiles the file with NEW in place of OLD, and links the plugin.
plant() {
    local text at rest=()
    text=$(<"$source/backends/cuda/$1")
    case $text in *"$2"*) ;; *) echo "not there: $2"; return 1 ;; esac
    printf '%s\n' "${text/"$2"/"$3"}" >"$work/code/backends/cuda/$1"
    cc -std=c11 -O1 -fPIC -w -I"$source" -I"$source/include" -I"$work/code/backends" -c \
        -o "$work/planted.o" "$work/code/backends/cuda/$1" || return 1
    for at in ${objects//;/ }; do [ "$(basename "$at")" = "$1.o" ] || rest+=("$at"); done
    cc -shared -o "$plugin" "$work/planted.o" "${rest[@]}" -lm -ldl -lpthread
}

# passes PART MODE
passes() { local words=${2#-}; TERN_CUDA_STANDIN="${words//,/ }" timeout 60 "$exercise" $1 >"$work/out" 2>&1; }

try() {
    [ -n "$file" ] || return
    all=$((all + 1))
    [ -n "${TERN_LONG:-}" ] || [ $((all % 4)) = 0 ] || return
    total=$((total + 1))
    if ! plant "$file" "${old%$'\n'}" "${new%$'\n'}" >"$work/out" 2>&1; then
        echo "not planted: $what: $(head -3 "$work/out")"
        missed=$((missed + 1))
    elif passes "$part" "$mode"; then
        echo "MISSED: $what"
        missed=$((missed + 1))
    else
        caught=$((caught + 1))
        [ -z "${VERBOSE:-}" ] || echo "$what: $(grep -v '^$' "$work/out" | tail -1)"
    fi
}

for mode in - late apart; do
    passes '' "$mode" || { echo "fails without a fault: $mode: $(tail -1 "$work/out")"; missed=1; }
done
file=''
while IFS= read -r line; do
    case $line in
    '@ '*)
        try
        what=${line#*: }
        read -r _ file part mode _ <<<"${line%%:*}"
        mode=${mode:--} old='' new=''
        ;;
    -*) old+=${line#-}$'\n' ;;
    +*) new+=${line#+}$'\n' ;;
    esac
done <"$source/tests/cuda/planted.txt"
try
echo "$caught of $total faults caught"
[ "$missed" = 0 ] && [ "$all" -ge 20 ] && [ "$total" -ge 5 ]
