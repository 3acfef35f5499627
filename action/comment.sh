#!/usr/bin/env bash
# Makes the plan a comment on the pull request: one for each manifest, changed when the plan is made anew.
set -euo pipefail
# Less than the 65,536 characters that GitHub takes, with room for what stands around the plan.
longest=60000

marker="<!-- formation-plan $(git hash-object --stdin <<< "$WHICH") -->"
run="${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY/actions/runs/${GITHUB_RUN_ID:-}"
body=$(mktemp "${RUNNER_TEMP:-/tmp}/comment.XXXXXX")
{
  echo "$marker"
  if [ -s "$SUMMARY" ]; then
    # Whole lines, as many as there is room for.
    LC_ALL=C awk -v most="$longest" '{ size += length($0) + 1; if (size > most) exit 1; print }' "$SUMMARY" ||
      printf '\nThe plan is longer than a comment may be: see [the whole of it](%s).\n' "$run"
  else
    echo "### Formation plan"
  fi
  case "$EXIT_CODE" in
    0 | 2) ;;
    *) printf '\n**There is no plan**: the command ended with %s. [Its log](%s) says why.\n' "$EXIT_CODE" "$run" ;;
  esac
  printf '\n<sub>of %s</sub>\n' "${GITHUB_SHA:-}"
} > "$body"

# Only of the workflow itself: whoever else writes the marker gets nobody's words under their name.
comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"
mine='.[] | select(.user.login == "github-actions[bot]" and (.body | startswith(env.MARKER))) | .id'
tell() {
  local id
  # A list that cannot be read is none that is empty, or there would be a second comment.
  id=$(MARKER="$marker" gh api --paginate "$comments?per_page=100" --jq "$mine" | sed -n 1p) || return 1
  if [ -n "$id" ]; then
    jq -Rs '{body: .}' "$body" | gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --input - > /dev/null
  else
    jq -Rs '{body: .}' "$body" | gh api --method POST "$comments" --input - > /dev/null
  fi
}
if ! tell; then
  echo "::warning::the plan is no comment on the pull request: does the job have the permission pull-requests: write?"
fi
