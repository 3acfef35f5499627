#!/usr/bin/env bash
# Packages the Lambdas in target/lambda and deploys infra/template.yaml: see `make deploy`.
# Needs STACK, REGION, ARCHITECTURE. PARAMETERS are more of the template's, as `Name=value Name=value`;
# a value has no space. DEPLOYMENT_BUCKET names a bucket of this account for the packages.
set -euo pipefail
cd "$(dirname "$0")/.."
source infra/stack.sh

# All that can be refused is refused before anything is made. Nothing in PARAMETERS is a pattern.
set -f
# shellcheck disable=SC2206  # PARAMETERS are words.
parameters=(${PARAMETERS:-})
set +f
for parameter in ${parameters[@]+"${parameters[@]}"}; do
  [[ $parameter == ?*=* ]] || refuse "PARAMETERS are \`Name=value Name=value\`, without spaces in values; this is not: $parameter"
done
[[ $STACK =~ ^[A-Za-z][A-Za-z0-9-]*$ ]] || refuse "the name of a stack begins with a letter and has letters, digits and hyphens: $STACK"
# The state machine is called as the stack is.
((${#STACK} <= 80)) || refuse "the name of the stack has ${#STACK} characters; the state machine's name is the same and may have 80"
any=$(deployment_bucket 000000000000)
((${#any} <= 63)) || refuse "the name of the bucket for packages would have ${#any} characters, of which S3 takes 63:" \
  "take a stack name that is $((${#any} - 63)) shorter, or name a bucket of this account with DEPLOYMENT_BUCKET"
require_ours

account=$(aws sts get-caller-identity --query Account --output text --region "$REGION")
bucket=$(deployment_bucket "$account")
if ! problem=$(owns_bucket "$account" "$bucket"); then
  # Whoever has taken the name could otherwise choose what is deployed here.
  [[ $problem == *"(404)"* ]] || refuse "the bucket $bucket is not the account's ($account), or may not be used:" "$problem" \
    "name another with DEPLOYMENT_BUCKET"
  echo "making the bucket $bucket, for the packages"
  aws s3 mb "s3://$bucket" --region "$REGION"
fi

packaged=$(mktemp)
trap 'rm -f "$packaged"' EXIT
aws cloudformation package --region "$REGION" --template-file infra/template.yaml \
  --s3-bucket "$bucket" --s3-prefix "$STACK" --output-template-file "$packaged" > /dev/null

case $status in
  ROLLBACK_COMPLETE | ROLLBACK_FAILED)
    # CloudFormation can only delete a stack whose first deploy failed. It never worked.
    echo "the first deploy of the stack $STACK failed ($status): deleting what it left, to deploy anew"
    left=$(resources)
    aws cloudformation delete-stack --region "$REGION" --stack-name "$STACK"
    aws cloudformation wait stack-delete-complete --region "$REGION" --stack-name "$STACK"
    echo "What stays of it, for you to delete:"
    kept "$left"
    ;;
esac

aws cloudformation deploy --region "$REGION" --stack-name "$STACK" --template-file "$packaged" \
  --s3-bucket "$bucket" --s3-prefix "$STACK" --no-fail-on-empty-changeset \
  --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND \
  --parameter-overrides "Architecture=$ARCHITECTURE" "DefaultArchitecture=$ARCHITECTURE" \
  ${parameters[@]+"${parameters[@]}"}
aws cloudformation describe-stacks --region "$REGION" --stack-name "$STACK" \
  --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' --output text
