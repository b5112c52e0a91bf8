#!/usr/bin/env bash
# Ends just what start.sh started: the jobs of its cluster, then its daemons by their pids.   usage: stop.sh FOLDER
set -euo pipefail
folder=$(cd "$1" && pwd)
export SLURM_CONF=$folder/slurm.conf
if timeout 5 scontrol ping 2>/dev/null | grep -q UP; then
  squeue -h -o %A | xargs -r scancel || true
  for _ in $(seq 150); do [ -n "$(squeue -h)" ] || break; sleep 0.1; done
fi
# A container may have nobody who reaps what has ended.
alive() { grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; }
for pid in $(tac "$folder/pids"); do
  kill "$pid" 2>/dev/null || continue
  for _ in $(seq 100); do alive "$pid" || break; sleep 0.1; done
  kill -9 "$pid" 2>/dev/null || true
done
if [ "$(readlink /etc/slurm/slurm.conf)" = "$SLURM_CONF" ]; then rm /etc/slurm/slurm.conf; fi
