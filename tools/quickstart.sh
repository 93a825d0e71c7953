#!/usr/bin/env bash
# From nothing to a trained and tested face-recognition network on two CPU cores, in about eleven minutes.
# The first table is there within a minute: of the small model that comes with mlaface. Then one is trained, and compared.
#
#   bash tools/quickstart.sh                      generated faces, MLA-ArcFace on a quarter-width IResNet-18
#   bash tools/quickstart.sh --cfg-options train_cfg.max_epochs=1     any options of tools/train.py
#
# A second run reuses the environment, the data and the checkpoint. Remove work_dirs/quickstart to train anew.
set -euo pipefail
case "${1:-}" in -h|--help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
cd "$(dirname "$0")/.."
. tools/environment.sh
ensure_environment

config=configs/mla_r18w025_synthetic.py
shipped=mla_r18w025_drawn
work_dir=${MLAFACE_QUICKSTART_DIR:-work_dirs/quickstart}
data=${MLAFACE_DATA:-data}/synthetic
faces=$work_dir/faces

# Exit status 1 of compare says that two people are different: here no error.
compare() {
    python tools/faces/compare.py --model "$shipped" --aligned "$faces/$1" "$faces/$2" || [ $? -eq 1 ]
}

echo; echo "1. Faces drawn from numbers -> $data, and a few to look at -> $faces"
python tools/datasets/make_synthetic.py --out "$data"
python tools/datasets/make_synthetic.py --faces "$faces" > /dev/null

echo; echo "2. What comes with mlaface: $shipped, trained on other drawn faces"
python tools/test.py "$shipped" --data-root "$data" --out "$work_dir/shipped.json"
compare person1_a.jpg person1_b.jpg
compare person1_a.jpg person2_a.jpg

echo; echo "3. Training $config -> $work_dir"
python tools/train.py "$config" --work-dir "$work_dir" --resume "$@"

echo; echo "4. What was trained, and $shipped beside it"
python tools/test.py "$work_dir/best.pth" --data-root "$data" --against "$shipped" --out "$work_dir/metrics.json"

echo
echo "numbers     $work_dir/metrics.json"
echo "checkpoint  $work_dir/best.pth"
echo "log         $work_dir/log.txt"
echo "curves      $work_dir/curves.png"
echo "faces       $faces (mlaface compare --model $work_dir/best.pth --aligned --threshold 0.4 A B)"
