#!/usr/bin/env bash
# Train on a Slurm cluster.
#
#   bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
#   GPUS=16 GPUS_PER_NODE=8 bash tools/slurm_train.sh gpu mla configs/mla_r100_ms1mv3.py
#
# Without GPUs: GPUS=2 SRUN_ARGS=--gres=none; the ranks are processes then.
# Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (8), SRUN_ARGS (more options of srun), PYTHON (python).
set -euo pipefail
. "$(dirname "$0")/launch.sh"
start_slurm train.py "$@"
