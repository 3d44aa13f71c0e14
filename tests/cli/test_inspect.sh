#!/bin/bash
# inspect and convert: the same tensors by name and checksum in every format; bad files and bad names.
. "$(dirname "$0")/common.sh"

run 0 train linear --epochs 2 --no-plots --quiet --out "$work/run"
model=$work/run/models/01_pytorch_workflow_model_1.pth

run 0 inspect "$model" --json
json format=pth tensors/0/name=linear_layer.weight tensors/0/dtype=float32 'tensors/0/shape=[1,1]' \
    tensors/0/sha256 tensors/1/name=linear_layer.bias values
sums() { "$tern" inspect "$1" --json | grep -o '"sha256": *"[0-9a-f]*"' | sort; }
sums "$model" >"$work/sums"
check "two checksums" [ "$(wc -l <"$work/sums")" -eq 2 ]
run 0 inspect "$model"
says "linear_layer.weight"
says "float32"

for format in safetensors npz pth; do
    run 0 convert "$model" "$work/copy.$format" --quiet
    silent
    check "$last: other tensors" diff <(sums "$work/copy.$format") "$work/sums"
    run 0 inspect "$work/copy.$format" --json
    json "format=$format" tensors/0/name tensors/1/name
    run 0 convert "$work/copy.$format" "$work/back.pth" --quiet
    check "$last: other tensors" diff <(sums "$work/back.pth") "$work/sums"
done

run 0 convert "$model" "$work/half.safetensors" --dtype float16 --json
json to="$work/half.safetensors" tensors=2 left_out=0
run 0 inspect "$work/half.safetensors" --json
json tensors/0/dtype=float16 tensors/1/dtype=float16

# What does not go: several tensors into one .npy, unknown endings and dtypes, a damaged file.
run 1 convert "$model" "$work/one.npy"
complains "tern convert: " "2 tensors" ".npz"
check "$last: a file was written" [ ! -e "$work/one.npy" ]
run 2 convert "$model" "$work/model.txt"
complains "tern convert: " "model.txt" ".safetensors"
run 2 convert "$model" "$work/model.npz" --dtype int8
complains "tern convert: " "--dtype" "int8"
run 2 convert "$model"
complains "tern convert: " "argument is missing"
run 1 convert "$work/absent.pth" "$work/model.npz"
complains "tern convert: " "absent.pth"
run 1 convert "$model" "$work/no/folder.npz"
complains "tern convert: " "folder.npz"
run 1 inspect "$work/absent.pth"
complains "tern inspect: " "absent.pth"
head -c 300 "$model" >"$work/cut.pth"
run 1 inspect "$work/cut.pth" --json
complains "tern inspect: " "cut.pth"
silent
run 1 inspect "$work"
complains "tern inspect: "
run 2 inspect
complains "tern inspect: " "argument is missing"

# Tables: kinds and missing cells of columns. Control characters of a file stay out of the terminal.
printf 'area,town,built\n70,Ulm,2001-05-01\nNA,Bonn,1990-01-31\n45.5,Ulm,\n' >"$work/houses.csv"
run 0 inspect "$work/houses.csv" --json
json format=csv rows=3 columns/0/kind=number columns/0/missing=1 columns/1/kind=text columns/1/different=2
json columns/2/kind=date columns/2/missing=1
run 0 inspect "$work/houses.csv"
says "3 rows"
says "town"

# Manifests of plugins, judged without loading anything.
printf '# one that is not there\ndevice = absent\nvariant = fast\nlibrary = libabsent.so\nabi = 0\nrequires = avx2 fma\npriority = 7\n' \
    >"$work/absent.tern"
run 0 inspect "$work/absent.tern" --json
json format=manifest values/device=absent values/variant=fast values/abi=0 values/priority=7
json values/usable=false "values/requires=avx2 fma"
run 0 inspect "$work/absent.tern"
says "variant = 'fast'"
says "usable = False"
printf 'device = broken\nfoo\n' >"$work/broken.tern"
run 1 inspect "$work/broken.tern"
complains "tern inspect: " "broken.tern:2: expected"
run 1 inspect "$work/nowhere.tern"
complains "tern inspect: " "nowhere.tern"

printf '\17\0\0\0\0\0\0\0{"\302\23331mX\\q":{}}' >"$work/csi.safetensors"
run 1 inspect "$work/csi.safetensors"
complains "tern inspect: " "31mX"
check "$last: a control character" [ "$(LC_ALL=C tr -cd '\233\033' <"$err" | wc -c)" -eq 0 ]
finish
