#!/bin/bash
# train: a recipe learns, leaves a run's folder, resumes to the same bits, and wrong recipes are named.
. "$(dirname "$0")/common.sh"

# 64 points on the line y = x.
mkdir "$work/data"
run 0 op rand --args '{"size": [64, 1]}' --out "$work/x.safetensors" --quiet
run 0 convert "$work/x.safetensors" "$work/data/train_inputs.npy" --quiet
cp "$work/data/train_inputs.npy" "$work/data/test_inputs.npy"
cp "$work/data/train_inputs.npy" "$work/data/train_targets.npy"
cp "$work/data/train_inputs.npy" "$work/data/test_targets.npy"
cat >"$work/recipe.txt" <<END
# a line through the origin
model = Sequential(Linear(1, 8), Tanh(), Linear(8, 1))
optimizer = SGD(lr=0.1, momentum=0.9)
scheduler = StepLR(step_size=2, gamma=0.5)
loss = MSELoss()
data = $work/data
epochs = 4
batch_size = 8
seed = 7
END
run 0 train "$work/recipe.txt" --out "$work/whole" --json
json --lines epoch loss accuracy=null test_loss test_accuracy=null seconds samples_per_s
check "$last: 4 lines" [ "$(wc -l <"$out")" -eq 4 ]
for file in recipe.txt metrics.jsonl model.pth checkpoint.pth; do
    check "$file is not there" [ -s "$work/whole/$file" ]
done

# Two epochs, then two more, end in the same bits as four.
run 0 train "$work/recipe.txt" --out "$work/parts" --epochs 2 --quiet
run 0 train "$work/recipe.txt" --out "$work/parts" --resume --quiet
check "resumed: another model" cmp "$work/whole/model.pth" "$work/parts/model.pth"
check "resumed: 4 lines of metrics" [ "$(wc -l <"$work/parts/metrics.jsonl")" -eq 4 ]
run 0 train "$work/whole/recipe.txt" --out "$work/again" --quiet
check "the recipe as resolved: another model" cmp "$work/whole/model.pth" "$work/again/model.pth"

# A run stopped on the way goes on to the same bits.
"$tern" train "$work/recipe.txt" --out "$work/killed" --epochs 4000 --quiet >"$out" 2>"$err" &
pid=$!
for _ in $(seq 200); do [ -s "$work/killed/metrics.jsonl" ] || sleep 0.05; done
kill -INT "$pid"
status=0
wait "$pid" || status=$?
last="interrupted"
check "an interrupted run: exit status $status" [ "$status" -eq 1 ]
complains "tern train: " "interrupted" "--resume"
done_epochs=$(wc -l <"$work/killed/metrics.jsonl")
run 0 train "$work/recipe.txt" --out "$work/killed" --epochs $((done_epochs + 2)) --resume --quiet
run 0 train "$work/recipe.txt" --out "$work/straight" --epochs $((done_epochs + 2)) --quiet
check "interrupted: another model" cmp "$work/killed/model.pth" "$work/straight/model.pth"

# A run that is there is continued or replaced on demand alone.
cp "$work/whole/model.pth" "$work/kept.pth"
run 1 train "$work/recipe.txt" --out "$work/whole" --seed 8 --quiet
complains "tern train: " "$work/whole holds a run already" "--resume" "--force" "--out"
check "a run was overwritten" cmp "$work/kept.pth" "$work/whole/model.pth"
run 0 train "$work/recipe.txt" --out "$work/whole" --seed 8 --quiet --force
check "--force kept the old model" [ -n "$(cmp "$work/kept.pth" "$work/whole/model.pth")" ]
run 2 train "$work/recipe.txt" --out "$work/whole" --force --resume
complains "tern train: " "--resume" "--force"

# A regression has an error and R2, whatever its data; JSON has its fixed keys.
run 0 train "$work/recipe.txt" --out "$work/text"
says ", MAE: "
says ", R2: "
check "nan in: $(cat "$out")" [ -z "$(grep nan "$out")" ]
check "metrics.jsonl has no R2" grep -q '"test_r2": ' "$work/text/metrics.jsonl"
run 0 train "$work/recipe.txt" --out "$work/keys" --json
check "more keys: $(cat "$out")" [ -z "$(grep r2 "$out")" ]

# A profile is JSON for trace viewers, with tables beside it; the numbers stay the same.
run 0 train "$work/recipe.txt" --out "$work/profiled" --epochs 1 --profile "$work/profile.json"
says "the profile is in $work/profile.json"
run 0 train "$work/recipe.txt" --out "$work/plain" --epochs 1 --quiet
check "profiled: another model" cmp "$work/plain/model.pth" "$work/profiled/model.pth"
cp "$work/profile.json" "$out"
json displayTimeUnit=ms traceEvents/0/ph=M traceEvents/0/name=process_name traceEvents/1/args/name \
    traceEvents/2/ph=X traceEvents/2/ts traceEvents/2/dur traceEvents/2/tid traceEvents/2/name
check "no module in the tables" grep -qE '0 \(Linear\) +matmul' "$work/profile.txt"
check "no backward pass in the tables" grep -qE ' 2 \(Linear\) ' "$work/profile.txt"
export TERN_PROFILE="$work/variable"
run 0 train "$work/recipe.txt" --out "$work/replayed" --epochs 2
says "the training step was replayed"
unset TERN_PROFILE
"$json_check" traceEvents/2/dur <"$work/variable" || check "TERN_PROFILE: not JSON" false
check "TERN_PROFILE: no tables" grep -q "launches took" "$work/variable.txt"
run 1 train "$work/recipe.txt" --out "$work/nowhere" --epochs 1 --profile "$work/absent/profile.json"
complains "tern train: " "$work/absent/profile.json" "cannot be written"
run 2 train "$work/recipe.txt" --out "$work/nowhere" --profile ""
complains "tern train: " "--profile"

# Real numbers are not classes.
sed 's/MSELoss/CrossEntropyLoss/' "$work/recipe.txt" >"$work/real.txt"
run 1 train "$work/real.txt" --out "$work/never"
complains "tern train: " "targets are real numbers (float32)" "CrossEntropyLoss()" "MSELoss()"
check "a failed run left a folder" [ ! -e "$work/never" ]

bad() { printf '%s\n' "$1" >"$work/bad.txt"; }
bad "optimiser = SGD(lr=0.1)"
run 1 train "$work/bad.txt"
complains "tern train: " "bad.txt:1" "optimiser" "did you mean 'optimizer'?"
bad "epochs = many"
run 1 train "$work/bad.txt"
complains "tern train: " "bad.txt:1" "epochs" "many"
bad "epochs"
run 1 train "$work/bad.txt"
complains "tern train: " "key = value"
bad "data = $work/absent"
run 1 train "$work/bad.txt" --out "$work/never"
complains "tern train: " "absent"
check "a failed run left a folder" [ ! -e "$work/never" ]
run 1 train "$work/recipe.txt" --out "$work/empty" --resume
complains "tern train: " "checkpoint.pth"
run 2 train fashon-mnist
complains "tern train: " "fashon-mnist" "did you mean 'fashion-mnist'?"
run 2 train cifar
complains "tern train: " "no recipe 'cifar'" "linear, fashion-mnist or a file"
finish
