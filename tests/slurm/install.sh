#!/usr/bin/env bash
# Installs Slurm's daemons and client from Debian's or Ubuntu's packages. Needs root; does nothing where they are.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"
missing=
for name in slurmctld slurmd munged sbatch; do command -v "$name" >/dev/null || missing=yes; done
if [ -z "$missing" ]; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "tests/slurm: Slurm is not installed, and installing it needs root and apt-get: its tests will be skipped." >&2
  exit 1
fi
echo "tests/slurm: installing Slurm"
export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL=1 and the policy keep the packages from starting daemons of their own.
policy=/usr/sbin/policy-rc.d made=
if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" && made=yes; fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
apt-get update -qq
apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null
