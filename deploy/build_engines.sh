#!/usr/bin/env bash
# Builds a TensorRT engine of every model.onnx for this machine's GPU, and beside it the configuration that serves it.
#   build_engines.sh MODEL_REPOSITORY ENGINE_REPOSITORY
# Runs in Triton's GPU container, so that the TensorRT that builds is the one that serves. An engine is built again only
# when its model, TensorRT or the GPU's compute capability is another.
set -euo pipefail
models=$1 engines=$2
PATH=$PATH:/usr/src/tensorrt/bin

tensorrt=$({ trtexec 2>&1 || true; } | grep -om1 'TensorRT v[0-9]*')
capability=$(nvidia-smi --id=0 --query-gpu=compute_cap --format=csv,noheader)

# name:BATCHxDIMxDIM,... of all inputs in a config.pbtxt
shapes() {
  awk -v batch="$2" '
    /^input/           { inside = 1; shape = batch }
    inside && /name:/  { gsub(/"/, "", $2); name = $2 }
    inside && /dims:/  { shape = shape "x" $2 }
    inside && /^}/     { printf "%s%s:%s", separator, name, shape; separator = ","; inside = 0 }' "$1"
}

for config in "$models"/*/config.pbtxt; do
  source=$(dirname "$config") name=$(basename "$(dirname "$config")")
  onnx=$source/1/model.onnx target=$engines/$name new=$engines/.new
  key="$(cat "$onnx" "$config" | sha256sum | cut -d' ' -f1) $tensorrt compute $capability"
  [ "$(cat "$target/1/key" 2>/dev/null)" = "$key" ] && continue

  largest=$(awk '/^max_batch_size:/ { print $2 }' "$config")
  usual=$((largest < 8 ? largest : 8))
  echo "$name: building an engine for $tensorrt, compute capability $capability"
  rm -rf "$new" && mkdir -p "$new/1"
  trtexec --onnx="$onnx" --saveEngine="$new/1/model.plan" --fp16 --skipInference \
    --minShapes="$(shapes "$config" 1)" --optShapes="$(shapes "$config" "$usual")" \
    --maxShapes="$(shapes "$config" "$largest")"
  # All else stays, the model's card included.
  sed 's/^backend: .*/platform: "tensorrt_plan"/' "$config" >"$new/config.pbtxt"
  echo "$key" >"$new/1/key"
  rm -rf "$target" && mv "$new" "$target"
done

# Models that are gone
for target in "$engines"/*/; do
  [ ! -d "$target" ] || [ -d "$models/$(basename "$target")" ] || rm -rf "$target"
done
