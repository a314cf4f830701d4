#!/bin/bash
# Slurm: `sbatch slurm.sh` starts eight workers on jugfile.py of the current folder.
#SBATCH --job-name=taskgraph
#SBATCH --array=1-8
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@60
#SBATCH --open-mode=append
#SBATCH --output=logs/%A.%a.log
trap '' USR1 USR2
. .venv/bin/activate
exec taskgraph execute jugfile.py --resources "memory=${SLURM_MEM_PER_NODE}M" --grace 25
