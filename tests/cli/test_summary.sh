#!/bin/bash
# summary: a model's rows and totals; models and shapes that are wrong.
. "$(dirname "$0")/common.sh"
mlp='Sequential(Flatten(), Linear(784, 256), ReLU(), Linear(256, 10))'

run 0 summary "$mlp" --input 64,1,28,28 --json
json layers/0/kind=Sequential layers/2/name=1 layers/2/kind=Linear 'layers/2/input=[64,784]' \
    'layers/2/output=[64,256]' layers/2/parameters=200960 parameters=203530 bytes=814120
run 0 summary "$mlp" --json
json layers/2/input=null parameters=203530
run 0 summary "$mlp" --input 64x1x28x28
says "203,530"
says "Linear"
echo "$mlp" >"$work/model.txt"
run 0 summary "$work/model.txt" --json
json parameters=203530
run 0 summary 'Embedding(10, 3)' --input 2,5 --dtype int64 --json
json 'layers/0/output=[2,5,3]'

run 1 summary 'Linea(1, 2)'
complains "tern summary: " "Linea"
run 1 summary "$mlp" --input 64,1,28,27 --json
complains "tern summary: " "linear"
run 0 op rand --args '{"size": [2]}' --out "$work/weights.safetensors" --quiet
run 0 convert "$work/weights.safetensors" "$work/weights.pth" --quiet
for file in weights.pth weights.safetensors; do
    run 1 summary "$work/$file"
    complains "tern summary: " "$file: not a text file" "PyTorch's notation" "tern inspect"
done
run 2 summary "$mlp" --input 64,,1
complains "tern summary: " "--input" "64,,1"
run 2 summary "$mlp" --input 0,1
complains "tern summary: " "--input"
run 2 summary "$mlp" --dtype floot
complains "tern summary: " "floot"
run 2 summary
complains "tern summary: " "argument is missing"
finish
