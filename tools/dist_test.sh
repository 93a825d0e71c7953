#!/usr/bin/env bash
# Test on several GPUs; where there are no GPUs, on as many CPU processes (gloo).
#
#   bash tools/dist_test.sh CHECKPOINT GPUS [options of tools/test.py]
#   bash tools/dist_test.sh work_dirs/mla_r50_ms1mv3/best.pth 4 --out result.json
#
# Environment: NNODES (1), NODE_RANK (0), MASTER_ADDR (127.0.0.1), PORT (a free one; to be given with several nodes),
# PYTHON (python).
set -euo pipefail
. "$(dirname "$0")/launch.sh"
start_ranks test.py "$@"
