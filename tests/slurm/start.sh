#!/usr/bin/env bash
# Starts a Slurm of one node with two counted GPUs on the loopback address.   usage: start.sh FOLDER
# Needs root. Everything lies below FOLDER but one link, /etc/slurm/slurm.conf: in a job the executor plugin forgets
# SLURM_CONF. End it with stop.sh.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
export SLURM_CONF=$folder/slurm.conf
mkdir -p "$folder"/{state,spool,log} && : > "$folder/pids"
link=/etc/slurm/slurm.conf
if [ -e "$link" ]; then echo "tests/slurm: $link is there: this machine has a Slurm of its own." >&2; exit 2; fi
chmod 755 "$folder" # munged wants no folder above its socket that others may write to

# Repeats a command up to 10 s, until it succeeds.
wait_for() {
  for _ in $(seq 100); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.1; done
  echo "tests/slurm: '$*' did not succeed; see $folder/log" >&2
  exit 1
}
free_ports() {
  python3 -c 'import socket; s = [socket.socket() for _ in "12"]
for x in s: x.bind(("127.0.0.1", 0))
print(*(x.getsockname()[1] for x in s))'
}

# A key of its own: jobs of this cluster are nobody else's.
(umask 077 && head -c 1024 /dev/urandom > "$folder/munge.key")
munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --seed-file="$folder/munge.seed" --log-file="$folder/log/munged.log" --force 2>> "$folder/log/munged.err"
cat "$folder/munged.pid" >> "$folder/pids"
wait_for munge --socket="$folder/munge.socket" -n

# Two character devices that behave like /dev/null, so that Slurm hands out an index and CUDA_VISIBLE_DEVICES.
for i in 0 1; do [ -e "$folder/gpu$i" ] || mknod -m 666 "$folder/gpu$i" c 1 3; done
read -r controller node < <(free_ports)
fill() { sed -e "s|@HOST@|$(hostname -s)|g; s|@FOLDER@|$folder|g; s|@CONTROLLER@|$controller|g; s|@NODE@|$node|g" "$1"; }
fill "$here/slurm.conf.in" > "$SLURM_CONF"
fill "$here/gres.conf.in" > "$folder/gres.conf"
ln -sfn "$SLURM_CONF" "$link"
printf 'CgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\nConstrainDevices=no\n' > "$folder/cgroup.conf"

slurmctld -f "$SLURM_CONF" -L "$folder/log/slurmctld.log"
wait_for test -s "$folder/slurmctld.pid"
cat "$folder/slurmctld.pid" >> "$folder/pids"
wait_for bash -c 'scontrol ping | grep -q UP'
slurmd -f "$SLURM_CONF" -N "$(hostname -s)" -L "$folder/log/slurmd.log"
wait_for test -s "$folder/slurmd.pid"
cat "$folder/slurmd.pid" >> "$folder/pids"
wait_for bash -c 'sinfo -h -o %t | grep -qE "^(idle|mix)"'
