#!/usr/bin/env bash
# Deletes a stack, unless functions are left in it: see `make destroy`. Needs STACK and REGION.
set -euo pipefail

output() {
  aws cloudformation describe-stacks --region "$REGION" --stack-name "$STACK" \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}

table=$(output TableName)
bucket=$(output ArtifactBucket)
functions=$(aws dynamodb query --region "$REGION" --table-name "$table" --consistent-read \
  --key-condition-expression 'pk = :pk' --expression-attribute-values '{":pk": {"S": "FUNCTION"}}' \
  --query 'Items[].sk.S' --output text)
if [ -n "$functions" ]; then
  echo "error: the stack $STACK still has functions; delete them through its API first:" >&2
  printf '%s\n' $functions >&2
  exit 1
fi
boundary=$(aws cloudformation describe-stack-resource --region "$REGION" --stack-name "$STACK" \
  --logical-resource-id FunctionBoundary --query StackResourceDetail.PhysicalResourceId --output text)

aws cloudformation delete-stack --region "$REGION" --stack-name "$STACK"
aws cloudformation wait stack-delete-complete --region "$REGION" --stack-name "$STACK"
cat <<TEXT
The stack $STACK is gone. What stays, for you to keep or delete:
  the table $table, with the history of operations
  the bucket $bucket, with the code of functions that were
  the policy $boundary, which bounded their roles
TEXT
