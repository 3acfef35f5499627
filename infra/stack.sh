# shellcheck shell=bash
# What deploy.sh and destroy.sh share. Needs STACK and REGION.

refuse() {
  printf 'error: %s\n' "$@" >&2
  exit 1
}

# Calls the AWS CLI, and answers nothing where what is asked about is not there: a stack has lost what
# somebody deleted by hand.
if_there() {
  local problem answered=true
  problem=$(mktemp)
  aws "$@" 2> "$problem" \
    || grep -qE '\((ResourceNotFoundException|NoSuchEntity)\)|\(ValidationError\).* does not exist' "$problem" \
    || { answered=false && cat "$problem" >&2; }
  rm -f "$problem"
  $answered
}

# Sets `status` to the stack's, or to NONE. Refuses a stack of another template: by its name it could be
# replaced, or deleted.
require_ours() {
  local description
  status=$(if_there cloudformation describe-stacks --region "$REGION" --stack-name "$STACK" \
    --query 'Stacks[0].StackStatus' --output text) \
    || refuse "the stack $STACK cannot be looked at: nothing was done"
  status=${status:-NONE}
  case $status in
    # Of a change set that nobody has executed: there is no template yet, and nothing to lose.
    NONE | REVIEW_IN_PROGRESS) return ;;
  esac
  description=$(aws cloudformation get-template-summary --region "$REGION" --stack-name "$STACK" \
    --query Description --output text) \
    || refuse "the template of the stack $STACK cannot be looked at: nothing was done"
  [[ $description == "Formation provisions functions"* ]] \
    || refuse "the stack $STACK is not Formation's: nothing was done"
}

# The bucket that packages go to, in the account $1.
deployment_bucket() {
  # A stack's name may have capitals, a bucket's may not.
  echo "${DEPLOYMENT_BUCKET:-$(tr '[:upper:]' '[:lower:]' <<< "$STACK")-deployment-$1-$REGION}"
}

# Whether the bucket $2 is there and is the account's, $1. Prints why not.
owns_bucket() {
  { aws s3api head-bucket --region "$REGION" --bucket "$2" --expected-bucket-owner "$1" > /dev/null; } 2>&1
}

# The stack's resources that are in AWS, a line each: type, logical id, physical id. Unlike outputs,
# a stack has these whatever became of it.
resources() {
  aws cloudformation list-stack-resources --region "$REGION" --stack-name "$STACK" --output text \
    --query "StackResourceSummaries[?ResourceStatus!='DELETE_COMPLETE' && PhysicalResourceId].[ResourceType, LogicalResourceId, PhysicalResourceId]"
}

# What outlives the stack of the resources $1: a line each, for people.
kept() {
  awk '
    $2 == "Table" { print "  the table " $3 ", with the history of operations" }
    $2 == "ArtifactBucket" { print "  the bucket " $3 ", with the code of functions that were" }
    $2 == "FunctionBoundary" { print "  the policy " $3 ", which bounded their roles" }
  ' <<< "$1"
}
