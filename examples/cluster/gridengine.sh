#!/bin/bash
# Grid Engine: `qsub gridengine.sh` starts eight workers on jugfile.py of the current folder.
#$ -N taskgraph
#$ -S /bin/bash
#$ -cwd
#$ -t 1-8
#$ -l h_rt=24:00:00
#$ -notify
#$ -r y
#$ -j y
#$ -o logs/$JOB_ID.$TASK_ID.log
trap '' USR1 USR2
. .venv/bin/activate
exec taskgraph execute jugfile.py --resources memory=4G --grace 50
