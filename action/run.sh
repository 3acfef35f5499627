#!/usr/bin/env bash
# Plans or applies, and ends as the command did; but a plan that finds something to do has done well.
set -euo pipefail
arguments=("$COMMAND" --file "$MANIFEST")
case "$COMMAND" in
  plan) arguments+=(--exit-code) ;;
  apply) arguments+=(--yes --output json) ;;
  *)
    echo "::error::the action's input command is plan or apply"
    exit 64
    ;;
esac
[ -z "${OVERLAY:-}" ] || arguments+=(--overlay "$OVERLAY")
[ -z "${STACK:-}" ] || arguments+=(--stack "$STACK")
[ -z "${REGION:-}" ] || arguments+=(--region "$REGION")

# The command writes its plan there, and nowhere else: of environment variables it holds no value.
folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/formation.XXXXXX")
# What a manifest or its build says is no command to the runner.
pause=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
echo "::stop-commands::$pause"
code=0
GITHUB_STEP_SUMMARY="$folder/summary.md" "$FORMATION" "${arguments[@]}" > "$folder/result" || code=$?
cat "$folder/result"
echo "::$pause::"
touch "$folder/summary.md"
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  cat "$folder/summary.md" >> "$GITHUB_STEP_SUMMARY"
fi

case "$COMMAND-$code" in
  plan-0) changes=false ;;
  plan-2) changes=true ;;
  apply-0) changes=$(jq 'length > 0' "$folder/result") ;;
  apply-[135]) changes=true ;;
  *) changes= ;;
esac
{
  echo "exit-code=$code"
  echo "changes=$changes"
  echo "summary=$folder/summary.md"
} >> "$GITHUB_OUTPUT"
if [ "$COMMAND-$code" = plan-2 ]; then
  exit 0
fi
exit "$code"
