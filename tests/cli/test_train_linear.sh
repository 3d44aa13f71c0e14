#!/bin/bash
# train linear: every digit of the tutorial's tables, on each device given as an argument; files, plots,
# JSON, the exercise's options, and bad input.
. "$(dirname "$0")/common.sh"
expected=$(dirname "$0")/linear_expected.txt

# The numbers alone: without devices, which are printed where they are not the CPU, and folders.
numbers() { sed -e '/^device:/d' -e '/^Saving model to/d' -e '/^Plots are/d' -e '/^data:/d' -e "s/, device='[^']*'//g" "$1"; }

for device in "$@"; do
    run 0 train linear --device "$device" --out "$work/$device" --no-plots
    check "$last: other numbers than the tutorial's" \
        diff <(numbers "$out") "$expected"
    for model in model_0 model_1; do
        check "$last: $model is not saved" [ -s "$work/$device/models/01_pytorch_workflow_$model.pth" ]
    done
done
check "the devices save different files" \
    sh -c "cd '$work' && for d in $*; do sha256sum <\$d/models/01_pytorch_workflow_model_0.pth; done | sort -u | wc -l | grep -qx 1"

run 0 train linear --out "$work/plots" --terminal
for picture in model_0_before model_0_after model_0_loss model_1_before model_1_after model_1_loss; do
    check "$picture.png is no PNG" sh -c "head -c 8 '$work/plots/plots/$picture.png' | grep -q PNG"
    check "$picture.svg is no SVG" grep -q '</svg>' "$work/plots/plots/$picture.svg"
done
check "--terminal draws" grep -q 'Training data' "$out"

# Without gnuplot: one clear line, and the run goes on.
mkdir "$work/nothing"
PATH=$work/nothing run 0 train linear --out "$work/bare"
complains "tern train linear: " "gnuplot" "gnuplot-nox"
check "$last: models are saved" [ -s "$work/bare/models/01_pytorch_workflow_model_1.pth" ]

run 0 train linear --json --epochs 3 --out "$work/json" --no-plots
json --lines epoch loss accuracy=null test_loss test_accuracy=null seconds samples_per_s
check "$last: 6 lines" [ "$(wc -l <"$out")" -eq 6 ]
check "$last: the first loss" grep -q '"loss": 0.31288138031959534' "$out"

# A profile beside the same numbers.
run 0 train linear --out "$work/profiled" --no-plots --profile "$work/profile.json"
says "the profile is in $work/profile.json"
check "$last: other numbers than the tutorial's" \
    diff <(numbers "$out" | grep -v 'the profile is in') "$expected"
check "no module in the tables" grep -qE 'linear_layer \(Linear\) +' "$work/profile.txt"
run 2 train linear --profile ""
complains "tern train linear: " "--profile"

run 0 train linear --weight 0.3 --bias 0.9 --points 100 --epochs 300 --report-every 20 --out "$work/exercise" --no-plots
says "80 to train and 20 to test"
check "$last: 15 lines a model" [ "$(grep -c '^Epoch: ' "$out")" -eq 30 ]
check "$last: epoch 0" grep -q '^Epoch: 0 | MAE Train Loss: 0.7566978335380554 | MAE Test Loss: 0.7248174548149109' "$out"

run 0 train linear --quiet --epochs 1 --out "$work/quiet" --no-plots
check "$last: --quiet prints the epochs alone" [ "$(grep -vc '^Epoch: ' "$out")" -eq 0 ]

# A folder that cannot be made: one line, status 1.
: >"$work/file"
run 1 train linear --out "$work/file/below" --no-plots
complains "tern train linear: " "file"
run 1 train linear --out "$work/file" --epochs 1
complains "tern train linear: " "file"
finish
