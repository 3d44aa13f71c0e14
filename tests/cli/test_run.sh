#!/bin/bash
# run: tables, folders of .npy and pictures are trained on; a saved run is evaluated, predicts and is
# drawn; a run killed at any point resumes to the same bits.
. "$(dirname "$0")/common.sh"

# price = 3 * area - 2 * rooms + 5, and a town that only the sign of area - rooms decides.
awk 'BEGIN {
    srand(3)
    print "area,rooms,price,town"
    for (i = 0; i < 200; i++) {
        a = rand() * 10; r = rand() * 10
        printf "%.4f,%.4f,%.4f,%s\n", a, r, 3 * a - 2 * r + 5, (a > r ? "Ulm" : "Bonn")
    }
}' >"$work/houses.csv"
cat >"$work/price.txt" <<END
model = Sequential(Linear(2, 1))
optimizer = SGD(lr=0.1)
loss = MSELoss()
data = $work/houses.csv
target = price
inputs = area, rooms
epochs = 20
batch_size = 16
out = $work/price
END

# ---- a table of numbers: the line is found, and the run tells so ----
run 0 train "$work/price.txt" --quiet
run 0 evaluate "$work/price" --json
json loss accuracy=null
check "a line is not learned: $(cat "$out")" \
    awk -F'[:,]' '{ exit !($2 < 0.01) }' "$out"
run 0 evaluate "$work/price" --data "$work/houses.csv"
says "over 200 samples"
printf 'rooms,area\n1,2\n' >"$work/one.csv"
run 0 predict "$work/price" --data "$work/one.csv" --json
check "not 9 for an area of 2 and 1 room: $(cat "$out")" \
    awk -F'[][]' '{ exit !($3 > 8.8 && $3 < 9.2) }' "$out"
run 0 predict "$work/price" --limit 3
check "3 lines" [ "$(wc -l <"$out")" -eq 3 ]
run 1 evaluate "$work/price" --data "$work/one.csv"
complains "tern evaluate: " "one.csv" "price"
check "data.json" grep -q '"mean"' "$work/price/data.json"

# ---- columns of texts: refused, as classes, or a column for each text; missing cells become the mean ----
awk -F, 'NR == 1 { print "town,area,price" } NR > 1 {
    print (NR == 9 ? "NA" : $4) "," $1 "," ($4 == "Ulm" ? 7 : 1)
}' "$work/houses.csv" >"$work/towns.csv"
sed "s|^data = .*|data = $work/towns.csv|; s|^out = .*|out = $work/hot|; s|^inputs = .*|inputs = town, area|
     s|Linear(2|Linear(3|" "$work/price.txt" >"$work/hot.txt"
run 1 train "$work/hot.txt"
complains "tern train: " "towns.csv:2: column 'town': " "text = one_hot" "text = classes"
echo "text = one_hot" >>"$work/hot.txt"
run 1 train "$work/hot.txt"
complains "tern train: " "towns.csv:9: column 'town'" "missing = mean"
echo "missing = mean" >>"$work/hot.txt"
run 0 train "$work/hot.txt" --quiet
check "data.json lacks the texts" grep -q '"Bonn"' "$work/hot/data.json"
printf 'area,town\n3,Bonn\n3,Ulm\n3,\n' >"$work/later.csv"
run 0 predict "$work/hot" --data "$work/later.csv"
check "not 1, 7 and what lies between: $(cat "$out")" awk '
    { p[NR] = $2 } END { exit !(p[1] > 0 && p[1] < 2 && p[2] > 6 && p[2] < 8 && p[3] > 2 && p[3] < 6) }' "$out"
printf 'area,town\n3,Trier\n' >"$work/other.csv"
run 1 predict "$work/hot" --data "$work/other.csv"
complains "tern predict: " "other.csv:2: column 'town'" "Trier"
sed 's|one_hot|classes|; s|Linear(3|Linear(2|' "$work/hot.txt" >"$work/classes.txt"
run 0 train "$work/classes.txt" --quiet --out "$work/classes"
run 0 predict "$work/classes" --data "$work/later.csv"
check "not 1 and 7: $(cat "$out")" awk '
    { p[NR] = $2 } END { exit !(p[1] > 0 && p[1] < 2 && p[2] > 6 && p[2] < 8) }' "$out"
sed -i 's/"Bonn"/1/' "$work/hot/data.json"
run 1 predict "$work/hot"
complains "tern predict: " "hot/data.json" "not what tern train writes"
sed "s|^data = .*|data = $work/dates.csv|" "$work/hot.txt" >"$work/dates.txt"
sed 's/^[A-Z][a-z]*,/2024-01-31,/; s/^NA,/2024-02-01,/' "$work/towns.csv" >"$work/dates.csv"
run 1 train "$work/dates.txt" --out "$work/dates"
complains "tern train: " "dates.csv:2: column 'town'" "is a date"

# ---- the target of a regression is scaled, and all that is shown is in its own unit ----
awk -F, 'NR == 1 { print "area,rooms,price" } NR > 1 { print $1 "," $2 "," 1000 * $3 + 250000 }' \
    "$work/houses.csv" >"$work/dear.csv"
sed "s|^data = .*|data = $work/dear.csv|; s|^out = .*|out = $work/dear|" "$work/price.txt" >"$work/dear.txt"
run 0 train "$work/dear.txt"
says "the target 'price' (mean 25"
says "is scaled"
check "a loss of unscaled prices: $(tail -2 "$out")" \
    awk '/^Epoch: 19/ { exit !($6 < 0.01 && $8 < 1000 && $10 > 0.99) }' "$out"
run 0 evaluate "$work/dear"
check "MAE and R2: $(cat "$out")" awk -F'[ ,]+' '{ exit !($4 > 0.01 && $4 < 1000 && $6 > 0.99) }' "$out"
run 0 predict "$work/dear" --data "$work/dear.csv"
paste -d' ' "$out" <(awk -F, 'NR > 1 { print $3 }' "$work/dear.csv") | awk '{
    e = $2 - $3; a += e < 0 ? -e : e; s += e * e; t += $3; q += $3 * $3
} END { print a / NR, 1 - s / (q - t * t / NR) }' >"$work/scores"
run 0 evaluate "$work/dear" --data "$work/dear.csv"
check "not MAE and R2 $(cat "$work/scores"): $(cat "$out")" awk -v right="$(cat "$work/scores")" -F'[ ,]+' '{
    split(right, r, " "); mae = $4 - r[1]; r2 = $6 - r[2]
    exit !(mae > -1 && mae < 1 && r2 > -0.001 && r2 < 0.001)
}' "$out"
run 0 predict "$work/dear" --data "$work/one.csv" --json
check "not 259000 for an area of 2 and 1 room: $(cat "$out")" \
    awk -F'[][]' '{ exit !($3 > 258000 && $3 < 260000) }' "$out"
cp "$work/dear.txt" "$work/raw.txt"
echo "standardize = 0" >>"$work/raw.txt"
run 0 train "$work/raw.txt" --out "$work/raw" --epochs 1
check "standardize = 0 scales: $(cat "$out")" [ -z "$(grep scaled "$out")" ]
sed -i 's/"target_deviation": [0-9.]*/"target_deviation": 0/' "$work/dear/data.json"
run 1 predict "$work/dear"
complains "tern predict: " "dear/data.json" "not what tern train writes"

# ---- a binary target: accuracy, AUC and probabilities ----
awk -F, 'NR == 1 { print "area,rooms,big" } NR > 1 { print $1 "," $2 "," ($1 > $2 ? 1 : 0) }' \
    "$work/houses.csv" >"$work/big.csv"
cat >"$work/big.txt" <<END
model = Sequential(Linear(2, 1))
optimizer = Adam(lr=0.1)
loss = BCEWithLogitsLoss()
data = $work/big.csv
epochs = 20
out = $work/big
END
run 0 train "$work/big.txt" --json
json --lines epoch loss accuracy test_loss test_accuracy seconds samples_per_s
check "no accuracy, or AUC among the keys: $(tail -1 "$out")" [ -z "$(grep 'null\|auc' "$out")" ]
check "metrics.jsonl has no AUC" grep -q '"test_auc": [01]' "$work/big/metrics.jsonl"
run 0 evaluate "$work/big"
check "accuracy and AUC: $(cat "$out")" awk -F'[ ,%]+' '{ exit !($4 > 85 && $6 > 0.95 && $6 <= 1) }' "$out"
run 0 predict "$work/big" --data "$work/big.csv"
auc=$(paste -d' ' "$out" <(awk -F, 'NR > 1 { print $3 }' "$work/big.csv") | awk '{ p[NR] = $2; y[NR] = $3 }
END {
    for (i = 1; i <= NR; i++) for (j = 1; j <= NR; j++) if (y[i] && !y[j]) {
        n++; above += p[i] > p[j] ? 1 : p[i] == p[j] ? 0.5 : 0
    }
    printf "AUC %.4f", above / n
}')
run 0 evaluate "$work/big" --data "$work/big.csv"
says "$auc"
run 0 predict "$work/big" --limit 20
check "no probabilities: $(cat "$out")" awk '!($2 > 0 && $2 < 1) { exit 1 }' "$out"
# Batches behind the first are replayed, with the same numbers; the last one has another size.
awk 'BEGIN { print "area,rooms,big"; for (i = 0; i < 1000; i++) print i % 97 "," i % 89 "," (i % 97 > i % 89) }' \
    >"$work/many.csv"
for verb in predict evaluate; do
    run 0 $verb "$work/big" --data "$work/many.csv"
    cp "$out" "$work/replayed.txt"
    run 0 $verb "$work/big" --data "$work/many.csv" --eager
    check "$verb: replayed batches give other numbers" cmp -s "$out" "$work/replayed.txt"
done
printf 'area,rooms\n9,1\n1,9\n' >"$work/two.csv"
run 0 predict "$work/big" --data "$work/two.csv" --json
check "not near 1 and 0: $(cat "$out")" \
    awk -F'[][]' '{ exit !($3 > 0.9 && $5 < 0.1) }' "$out"

# ---- a model and a loss that do not suit the target ----
misfit() {
    sed "$1" "$work/price.txt" >"$work/misfit.txt"
    run 1 train "$work/misfit.txt" --out "$work/never"
    shift
    complains "tern train: " "$@"
    check "a failed run left a folder" [ ! -e "$work/never" ]
}
misfit 's/MSELoss/CrossEntropyLoss/' "houses.csv: column 'price' holds numbers such as" \
    "200 different ones" "the model gives 1 score:" "loss = MSELoss()"
misfit 's/MSELoss/CrossEntropyLoss/; s/= price/= town/' "column 'town' has 2 classes" \
    "the model gives 1 score:" "needs 2 outputs" "BCEWithLogitsLoss()"
misfit 's/MSELoss/BCEWithLogitsLoss/' "houses.csv:2: column 'price'" "targets from 0 to 1" "MSELoss()"
misfit 's/Linear(2, 1)/Linear(2, 3)/' "column 'price' is one number per row" "the model gives 3" \
    "needs 1 output"

# ---- classes by name, with best weights kept and early stopping ----
cat >"$work/town.txt" <<END
model = Sequential(Linear(2, 8), ReLU(), Linear(8, 2))
optimizer = Adam(lr=0.02)
scheduler = ReduceLROnPlateau(patience=1)
loss = CrossEntropyLoss()
data = $work/houses.csv
inputs = area, rooms
epochs = 60
batch_size = 16
patience = 3
clip = 5.0
keep = best
out = $work/town
workers = 2
END
run 0 train "$work/town.txt" --json
run 0 evaluate "$work/town" --json
check "towns are not learned: $(cat "$out")" awk -F'[:,}]' '{ exit !($4 > 0.85) }' "$out"
best=$(sed -E 's/.*"test_loss": ([0-9.e-]+).*/\1/' "$work/town/metrics.jsonl" | sort -g | head -1)
check "the best weights are not kept: $(cat "$out"), not $best" grep -q "\"loss\": $best" "$out"
run 0 predict "$work/town" --data "$work/two.csv"
says "0: Ulm (1)"
says "1: Bonn (0)"
printf 'area,rooms,town\n9,1,Rome\n' >"$work/rome.csv"
run 1 evaluate "$work/town" --data "$work/rome.csv"
complains "tern evaluate: " "rome.csv:2: column 'town'" "no class 'Rome'"
printf 'area,rooms,town\n9,1,"Ro\nme"\n' >"$work/rome.csv"
run 1 evaluate "$work/town" --data "$work/rome.csv"
complains "tern evaluate: " "no class 'Ro?me'"
printf 'area,rooms,price,town\n1,2,3,Ulm\nx,2,3,Ulm\n' >"$work/bad.csv"
run 1 evaluate "$work/town" --data "$work/bad.csv"
complains "tern evaluate: " "bad.csv:3" "column 'area'" "'x' is not a number"

# ---- train.csv and test.csv, and folders of classes ----
mkdir "$work/two"
head -150 "$work/houses.csv" >"$work/two/train.csv"
{ head -1 "$work/houses.csv"; tail -50 "$work/houses.csv"; } >"$work/two/test.csv"
sed "s|^data = .*|data = $work/two|; s|^out = .*|out = $work/two-run|" "$work/town.txt" >"$work/two.txt"
run 0 train "$work/two.txt"
says "149 samples to train and 50 to test"
for class in low high; do
    for part in train test; do
        mkdir -p "$work/folders/$part/$class"
        for i in 1 2 3 4; do
            value=$([ "$class" = low ] && echo "-0.$i" || echo "0.$i")
            run 0 op full --args "{\"size\": [1, 2, 2], \"fill_value\": $value}" \
                --out "$work/t.safetensors" --quiet
            run 0 convert "$work/t.safetensors" "$work/folders/$part/$class/$i.npy" --quiet
        done
    done
done
cat >"$work/folders.txt" <<END
model = Sequential(Flatten(), Linear(4, 2))
data = $work/folders
transforms = Compose([RandomHorizontalFlip(), Normalize([0.0], [0.5])])
test_transforms = Normalize([0.0], [0.5])
epochs = 20
batch_size = 4
out = $work/folders-run
END
run 0 train "$work/folders.txt" --quiet
run 0 evaluate "$work/folders-run"
says "accuracy 100.00% over 8 samples"
run 0 predict "$work/folders-run" --limit 1
says "0: high (0)"
run 0 evaluate "$work/folders-run" --data "$work/folders/train"
says "accuracy 100.00% over 8 samples"
mv "$work/folders/train/low" "$work/folders/train/middle"
run 1 evaluate "$work/folders-run" --data "$work/folders/train"
complains "tern evaluate: " "not the classes of the run"
mv "$work/folders/train/middle" "$work/folders/train/low"
sed -i '/^test_transforms/d' "$work/folders.txt"
run 1 train "$work/folders.txt" --out "$work/never"
complains "tern train: " "transforms is random" "test_transforms"
check "a failed run left a folder" [ ! -e "$work/never" ]

# ---- plots ----
if command -v gnuplot >/dev/null; then
    for file in curves confusion predictions; do
        check "no plot $file" [ -s "$work/folders-run/plots/$file.png" ]
    done
    check "a picture of a line" [ -s "$work/price/plots/predictions.svg" ]
    check "a confusion matrix of numbers" [ ! -e "$work/price/plots/confusion.png" ]
    rm -r "$work/town/plots"
    run 0 plot "$work/town" --quiet
    check "no plots" [ -s "$work/town/plots/confusion.svg" ]
    run 0 plot "$work/town" -o "$work/c.svg" --what confusion
    check "no names in the plot" grep -q Bonn "$work/c.svg"
    run 1 plot "$work/price" -o "$work/c.svg" --what confusion
    complains "tern plot: " "no plot of confusion"
    run 1 plot "$work/town" -o "$work/c.gif"
    complains "tern plot: " ".png or .svg"
else
    run 1 plot "$work/town" --quiet
    complains "tern plot: " "gnuplot"
fi
run 2 plot "$work/town" --what curve
complains "tern plot: " "curves, confusion or predictions"
run 1 evaluate "$work/nothing"
complains "tern evaluate: " "$work/nothing/recipe.txt"

# ---- wrong recipes ----
wrong() {
    sed "$1" "$work/town.txt" >"$work/wrong.txt"
    run 1 train "$work/wrong.txt" --out "$work/never" --quiet
    shift
    complains "tern train: " "$@"
    check "a wrong recipe left a folder" [ ! -e "$work/never" ]
}
wrong 's/^keep = .*/keep = first/' "keep is last or best, not 'first'"
wrong 's/^workers = .*/workers = many/' "workers needs a whole number from 0 to 64, not 'many'"
wrong 's/^clip = .*/clip = -1/' "clip needs a number"
wrong 's/^inputs = .*/inputs = area, room/' "houses.csv: no column 'room'"
wrong 's/^keep/keeps/' "no key 'keeps'; did you mean 'keep'?"
wrong 's/^inputs/transforms = Blur()\ninputs/' "transforms: there is no 'Blur'"

# ---- files of a run that are not its own ----
cp -r "$work/town" "$work/other"
for facts in '{"classes": [1]}' '[]' '{"inputs": ["area"]}' '{"mean": ["x"]}'; do
    echo "$facts" >"$work/other/data.json"
    run 1 predict "$work/other"
    complains "tern predict: " "other/data.json" "not what tern train writes"
done
echo '{' >"$work/other/data.json"
run 1 evaluate "$work/other"
complains "tern evaluate: " "other/data.json"
cp "$work/town/data.json" "$work/other/"
cp "$work/price/model.pth" "$work/other/"
status=0
"$tern" evaluate "$work/other" 2>"$err" || status=$?
check "another model is taken" [ "$status" -eq 1 ]
check "the missing keys are not named" grep -q "Missing key" "$err"
cp "$work/town/model.pth" "$work/other/checkpoint.pth"
run 1 train "$work/town.txt" --out "$work/other" --resume
complains "tern train: " "no checkpoint of this recipe"
echo '[]' >"$work/other/metrics.jsonl"
"$tern" plot "$work/other" -o "$work/x.svg" 2>"$err"
check "plot: $?" [ $? -le 1 ]

# ---- killed at any point, a run resumes to the same bits ----
cat >"$work/long.txt" <<END
model = Sequential(Linear(2, 64), ReLU(), Dropout(0.2), Linear(64, 2))
optimizer = Adam(lr=0.01)
scheduler = CosineAnnealingLR(T_max=300)
data = $work/houses.csv
inputs = area, rooms
epochs = 300
batch_size = 8
keep = best
END
run 0 train "$work/long.txt" --out "$work/straight" --quiet --no-plots
kills=0
resume_if_begun() { [ ! -e "$work/killed/checkpoint.pth" ] || echo --resume; }
for try in $(seq 40); do
    # shellcheck disable=SC2046
    "$tern" train "$work/long.txt" --out "$work/killed" $(resume_if_begun) --quiet --no-plots &
    pid=$!
    sleep "$(printf '0.%03d' $((RANDOM % 90 + 10 + 10 * try)))"
    kill -KILL "$pid" 2>/dev/null && kills=$((kills + 1))
    wait "$pid" 2>/dev/null && break
done 2>/dev/null
last="$kills kills"
check "no run was killed" [ "$kills" -gt 0 ]
echo "$kills runs were killed"
touch "$work/killed/.tern-1-1.tmp" # as a run that was killed while it wrote leaves
# shellcheck disable=SC2046
run 0 train "$work/long.txt" --out "$work/killed" $(resume_if_begun) --quiet --no-plots
last="$kills kills"
check "killed: another model" cmp "$work/straight/model.pth" "$work/killed/model.pth"
tensors() { "$tern" inspect "$1" --json | sed 's/"values".*//'; } # its values have the seconds
check "killed: another optimizer or generator" cmp \
    <(tensors "$work/straight/checkpoint.pth") <(tensors "$work/killed/checkpoint.pth")
check "killed: other losses" cmp \
    <(sed -E 's/, "seconds".*//' "$work/straight/metrics.jsonl") \
    <(sed -E 's/, "seconds".*//' "$work/killed/metrics.jsonl")
check "killed: a temporary file is left" [ -z "$(find "$work/killed" -name '.tern-*')" ]
finish
