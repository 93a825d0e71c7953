#!/usr/bin/env bash
# Train on several GPUs of one or more machines; where there are no GPUs, on as many CPU processes (gloo).
#
#   bash tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
#   bash tools/dist_train.sh configs/mla_r100_ms1mv3.py 8
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 bash tools/dist_train.sh configs/mla_r100_ms1mv3.py 8
#
# Environment: NNODES (1), NODE_RANK (0), MASTER_ADDR (127.0.0.1), PORT (a free one; to be given with several nodes),
# PYTHON (python).
set -euo pipefail
. "$(dirname "$0")/launch.sh"
start_ranks train.py "$@"
