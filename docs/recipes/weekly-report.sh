#!/usr/bin/env bash
# Prints the last seven days of a fleet. For cron, which mails what a command prints:
#   PATH=/usr/local/bin:/usr/bin:/bin
#   MAILTO=ops@example.com
#   ASTRANETMON_SERVER=https://monitor.example.com
#   REPORT_KEY_FILE=/etc/astranetmon/report-key
#   0 7 * * MON  /usr/local/bin/weekly-report.sh
set -euo pipefail

# A crontab is read by others: the key is in a file that is not.
if [ -n "${REPORT_KEY_FILE:-}" ]; then
    ASTRANETMON_API_KEY=$(cat "$REPORT_KEY_FILE")
    unset REPORT_KEY_FILE
    export ASTRANETMON_API_KEY
fi

echo "Agents that are offline"
astranetmon get agents --where status=offline --fields id,hostname,last_seen_at 2>&1

echo
echo "Processor, memory and latency, by day"
astranetmon get metrics --all --start -7d --interval 1d --agg avg,max \
    --fields cpu_percent,memory_percent,latency_ms 2>&1

echo
echo "Speed tests that failed"
astranetmon get speedtests --all --start -7d --where status=failed --fields timestamp,agent_id,error 2>&1

echo
echo "Routes that changed"
astranetmon get traceroutes --all --start -7d --where changes_only=true \
    --fields timestamp,agent_id,target,hop_count 2>&1
