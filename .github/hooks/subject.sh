#!/usr/bin/env bash
# Refuses a commit whose subject is longer than 72 characters: subject.sh FILE, or subjects on standard input.
set -euo pipefail
status=0
while IFS= read -r subject; do
    if [ "${#subject}" -gt 72 ]; then
        echo "the subject has ${#subject} characters, at most 72 are allowed: $subject" >&2
        status=1
    fi
done < <(if [ $# -gt 0 ]; then head -n 1 "$1"; else cat; fi)
exit "$status"
