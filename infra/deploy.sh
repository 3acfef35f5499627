#!/usr/bin/env bash
# Packages the Lambdas in target/lambda and deploys infra/template.yaml: see `make deploy`.
# Needs STACK, REGION, ARCHITECTURE; PARAMETERS are more of the template's, as `Name=value Name=value`.
set -euo pipefail
cd "$(dirname "$0")/.."

account=$(aws sts get-caller-identity --query Account --output text --region "$REGION")
bucket=${DEPLOYMENT_BUCKET:-$STACK-deployment-$account-$REGION}
if ! aws s3api head-bucket --bucket "$bucket" > /dev/null 2>&1; then
  echo "making the bucket $bucket, for the packages"
  aws s3 mb "s3://$bucket" --region "$REGION"
fi

packaged=$(mktemp)
trap 'rm -f "$packaged"' EXIT
aws cloudformation package --region "$REGION" --template-file infra/template.yaml \
  --s3-bucket "$bucket" --s3-prefix "$STACK" --output-template-file "$packaged" > /dev/null
# shellcheck disable=SC2086  # PARAMETERS are words.
aws cloudformation deploy --region "$REGION" --stack-name "$STACK" --template-file "$packaged" \
  --s3-bucket "$bucket" --s3-prefix "$STACK" --no-fail-on-empty-changeset \
  --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND \
  --parameter-overrides "Architecture=$ARCHITECTURE" "DefaultArchitecture=$ARCHITECTURE" ${PARAMETERS:-}
aws cloudformation describe-stacks --region "$REGION" --stack-name "$STACK" \
  --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' --output text
