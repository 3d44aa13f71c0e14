#!/bin/bash
# nvrtc: every kernel of backends/gpu compiles by NVRTC, which has no headers, for chips that it knows and, as PTX, for one
# that it does not. 77 where it is not installed. TERN_LONG=1: all kernels and chips, else every sixth for one.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$sources" "$work" >/dev/null || exit 1
mapfile -t files < <(ls "$work"/*.cu | awk -v all="${TERN_LONG:-}" 'all || NR % 6 == 0')
chips=80
[ -z "${TERN_LONG:-}" ] || chips='75 80 90 99'
status=0
for chip in $chips; do
    "$nvrtc" "$chip" "${files[@]}" || status=$?
    [ $status = 0 ] || break
done
exit $status
