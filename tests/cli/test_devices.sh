#!/bin/bash
# devices and doctor: the list, the report, their JSON, and what a broken plugin does to the status.
. "$(dirname "$0")/common.sh"

# PoCL ends the process where /sys is not mounted: a broken driver, of which opencl-faults is the test. All
# other plugins are looked at without it there.
if [ ! -d /sys/devices/system/cpu ]; then
    folder=${TERN_PLUGIN_PATH%%:*}
    mkdir -m 755 "$work/tern" && cp -r "$folder" "$folder/../plugins" "$work/tern"
    rm -f "$work/tern/plugins.d/opencl.tern"
    TERN_PLUGIN_PATH=$work/tern/plugins.d${TERN_PLUGIN_PATH#"$folder"}
fi

run 0 devices
says cpu_ref
run 0 devices --json
json 0/name 0/plugin 0/variant 0/status 0/reason 0/identity 0/memory 0/default
check "devices --json: cpu_ref is not probed" grep -q '"name": "cpu_ref".*"status": "not probed"' "$out"
run 0 devices --probe --json
json 0/name
check "devices --probe --json: cpu_ref is ready" grep -q '"name": "cpu_ref"[^}]*"status": "ready"' "$out"

run 0 doctor --json
json ok=true search/0/path search/0/found plugins/0/manifest plugins/0/library plugins/0/stage plugins/0/ok plugins/0/message
run 0 doctor
says cpu_ref
run 0 doctor --quiet
silent

# A host library is in the report, and no device.
if [ -e "${TERN_PLUGIN_PATH%%:*}/lapack.tern" ]; then
    run 0 doctor
    says "lapack at stage ready" "LAPACK "
    run 0 devices
    check "devices: a host library is no device" [ -z "$(grep lapack "$out")" ]
    TERN_HOST_LIBRARY=off run 0 doctor --json
    check "doctor: lapack is not used" grep -q '"host": "lapack".*TERN_HOST_LIBRARY is .off' "$out"
fi

# A manifest that is not legal is a line of the report, status 1, and no obstacle for the others.
mkdir "$work/broken"
printf 'device = cpu_ref\nlibrary = ../no/such.so\nabi = none\n' >"$work/broken/bad.tern"
TERN_PLUGIN_PATH_ADD=
TERN_PLUGIN_PATH="$TERN_PLUGIN_PATH:$work/broken" run 1 doctor --json
json ok=false plugins/0/manifest
complains "tern doctor: " bad.tern
TERN_PLUGIN_PATH="$TERN_PLUGIN_PATH:$work/broken" run 0 devices --probe --json
check "devices: cpu_ref is ready beside a broken plugin" \
    grep -q '"name": "cpu_ref"[^}]*"status": "ready"' "$out"

# No plugin at all.
mkdir "$work/empty"
TERN_DEVICE= TERN_PLUGIN_PATH="$work/empty" run 1 doctor --json
json ok=false
complains "tern doctor: " "no device"

# TERN_DEVICE names no device, or one that cannot be used.
TERN_DEVICE=typo run 1 doctor --quiet
complains "tern doctor: " "TERN_DEVICE is 'typo'" "no such device" "auto" "cpu_ref"
silent
TERN_DEVICE=cuda run 1 doctor --quiet
complains "tern doctor: " "TERN_DEVICE is 'cuda'" "set it to one of auto"
TERN_DEVICE=cpu_ref run 0 doctor --quiet

# A device that is not there, from the option and from the environment.
run 1 ops --device nowhere
complains "tern ops: " nowhere
TERN_DEVICE=nowhere run 1 ops
complains "tern ops: " nowhere
run 1 train linear --device nowhere --out "$work/run"
complains "tern train linear: " nowhere
run 1 conformance --device nowhere
complains "tern conformance: " nowhere
finish
