#!/usr/bin/env bash
# Deletes a stack of Formation's: see `make destroy`. Refuses, before anything is deleted, while functions
# are in it or others use what is its own. Needs STACK and REGION, and DEPLOYMENT_BUCKET if that was set.
set -euo pipefail
cd "$(dirname "$0")/.."
source infra/stack.sh

require_ours
[[ $status != NONE ]] || refuse "there is no stack $STACK in $REGION"

account=$(aws sts get-caller-identity --query Account --output text --region "$REGION")
resources=$(resources)
physical() {
  awk -v id="$1" '$2 == id { print $3 }' <<< "$resources"
}
table=$(physical Table)
bus=$(physical EventBus)

reasons=()
if [ -n "$table" ]; then
  functions=$(if_there dynamodb query --region "$REGION" --table-name "$table" --consistent-read \
    --key-condition-expression 'pk = :pk' --expression-attribute-values '{":pk": {"S": "FUNCTION"}}' \
    --projection-expression sk \
    --query 'Items[].sk.S' --output text)
  for function in $functions; do
    reasons+=("the function $function; delete it through the API")
  done
fi
# CloudFormation would fail at these, after it has deleted the API.
# shellcheck disable=SC2013  # ARNs are words.
for policy in $(awk '$1 == "AWS::IAM::ManagedPolicy" && $2 != "FunctionBoundary" { print $3 }' <<< "$resources"); do
  attached=$(if_there iam list-entities-for-policy --region "$REGION" --policy-arn "$policy" --output text \
    --query '[PolicyUsers[].UserName, PolicyGroups[].GroupName, PolicyRoles[].RoleName][]')
  for who in $attached; do
    reasons+=("$who, to whom $policy is attached; detach it")
  done
done
if [ -n "$bus" ]; then
  # The physical id of a rule is `bus|rule`.
  own=$(awk '$1 == "AWS::Events::Rule" { sub(/.*\|/, "", $3); print $3 }' <<< "$resources")
  rules=$(if_there events list-rules --region "$REGION" --event-bus-name "$bus" --query 'Rules[].Name' --output text)
  for rule in $rules; do
    grep -qxF -- "$rule" <<< "$own" || reasons+=("the rule $rule on the bus $bus; delete it with its targets")
  done
fi
if ((${#reasons[@]})); then
  {
    echo "error: the stack $STACK is still used, and nothing was deleted:"
    printf '  %s\n' "${reasons[@]}"
  } >&2
  exit 1
fi

aws cloudformation delete-stack --region "$REGION" --stack-name "$STACK"
aws cloudformation wait stack-delete-complete --region "$REGION" --stack-name "$STACK"
echo "The stack $STACK is gone. What stays, for you to keep or delete:"
kept "$resources"
packages=$(deployment_bucket "$account")
if owns_bucket "$account" "$packages" > /dev/null; then
  echo "  the bucket $packages, with the packages of deploys"
fi
