#!/usr/bin/env bash
# From nothing to a trained and tested face-recognition network on two CPU cores, in under ten minutes after the install.
#
#   bash tools/quickstart.sh                      generated faces, MLA-ArcFace on a quarter-width IResNet-18
#   bash tools/quickstart.sh --cfg-options train_cfg.max_epochs=1     any options of tools/train.py
#
# A second run reuses the environment, the data and the checkpoint. Remove work_dirs/quickstart to train anew.
set -euo pipefail
case "${1:-}" in -h|--help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
cd "$(dirname "$0")/.."
. tools/environment.sh
ensure_environment

config=configs/mla_r18w025_synthetic.py
work_dir=${MLAFACE_QUICKSTART_DIR:-work_dirs/quickstart}
data=${MLAFACE_DATA:-data}/synthetic

echo; echo "1. Faces drawn from numbers -> $data"
python tools/datasets/make_synthetic.py --out "$data"

echo; echo "2. Training $config -> $work_dir"
python tools/train.py "$config" --work-dir "$work_dir" --resume "$@"

echo; echo "3. Benchmark"
python tools/test.py "$work_dir/best.pth" --data-root "$data" --out "$work_dir/metrics.json"

echo
echo "numbers     $work_dir/metrics.json"
echo "checkpoint  $work_dir/best.pth"
echo "log         $work_dir/log.txt"
echo "curves      $work_dir/curves.png"
