#!/usr/bin/env bash
# Shared by dist_*.sh and slurm_*.sh: reads their arguments and starts the ranks. Not called by itself.

# The comment at the top of the calling script.
usage() {
    sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
}

fail() {
    echo "error: $1" >&2
    exit 2
}

# Check "FILE GPUS" and set FILE and GPUS.
read_arguments() {
    case "${1:-}" in -h|--help) usage; exit 0 ;; esac
    [ $# -ge 2 ] || { usage >&2; fail "two arguments are needed: a file and a number of GPUs"; }
    FILE=$1
    GPUS=$2
    [[ $GPUS =~ ^[0-9]+$ ]] || fail "the number of GPUs must be a whole number, got '$GPUS'"
    GPUS=$((10#$GPUS))
    [ "$GPUS" -ge 1 ] || fail "the number of GPUs must be at least 1, got $GPUS; on a machine without GPUs it is the number of CPU processes"
    [ -e "$FILE" ] || fail "no file at $FILE"
}

start_ranks() {
    local script=$1 tools nnodes python rendezvous
    shift
    read_arguments "$@"
    shift 2
    tools=$(cd "$(dirname "$0")" && pwd)
    nnodes=${NNODES:-1}
    python=${PYTHON:-python}
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
    if [ "$nnodes" -gt 1 ]; then
        [ -n "${PORT:-}" ] && [ -n "${MASTER_ADDR:-}" ] || fail "with NNODES=$nnodes set MASTER_ADDR and PORT, alike on all nodes"
        rendezvous=(--node-rank "${NODE_RANK:-0}" --master-addr "$MASTER_ADDR" --master-port "$PORT")
    elif [ -n "${PORT:-}" ]; then
        rendezvous=(--master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "$PORT")
    else
        rendezvous=(--standalone)
    fi
    "$python" -m mlaface.cli.parts.ranks --nnodes "$nnodes" --nproc-per-node "$GPUS" "${rendezvous[@]}" \
        "$tools/$script" "$FILE" --launcher pytorch "$@"
}

start_slurm() {
    local script=$1 tools per_node partition job
    shift
    case "${1:-}" in -h|--help) usage; exit 0 ;; esac
    [ $# -ge 3 ] || { usage >&2; fail "three arguments are needed: partition, job name and file"; }
    partition=$1
    job=$2
    shift 2
    tools=$(cd "$(dirname "$0")" && pwd)
    read_arguments "$1" "${GPUS:-8}"
    shift
    per_node=${GPUS_PER_NODE:-8}
    [ "$per_node" -le "$GPUS" ] || per_node=$GPUS
    command -v srun > /dev/null || fail "srun is not on this machine: is this a Slurm cluster?"
    # shellcheck disable=SC2086
    srun --partition "$partition" --job-name "$job" --ntasks "$GPUS" --ntasks-per-node "$per_node" \
        --gres "gpu:$per_node" --cpus-per-task "${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
        "${PYTHON:-python}" -u "$tools/$script" "$FILE" --launcher slurm "$@"
}
