//! Scripts that people and CI run: the GitHub Action's in [`action`], and
//! `infra/deploy.sh` and `infra/destroy.sh` in whatever state an account may be, which local AWS
//! cannot be put into: an `aws` that only notes its calls answers what the test says.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod action;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const ACCOUNT: &str = "111122223333";
/// How the CLI tells of a bucket.
const MISSING: &str = "An error occurred (404) when calling the HeadBucket operation: Not Found";
const FORBIDDEN: &str = "An error occurred (403) when calling the HeadBucket operation: Forbidden";
const NO_STACK: &str = "An error occurred (ValidationError) when calling the DescribeStacks \
                        operation: Stack with id formation does not exist";
/// Of the template, as a stack that was made from it tells.
const DESCRIPTION: &str = "Formation provisions functions on AWS Lambda";

/// A script in a folder of its own, and the account that it finds.
struct Script {
    folder: TempDir,
    name: &'static str,
    /// The branches of a shell's `case` over the arguments of `aws`.
    answers: String,
    variables: Vec<(&'static str, String)>,
}

/// What a script did.
struct Run {
    succeeded: bool,
    printed: String,
    /// The calls of `aws`, in order, each argument in angle brackets.
    calls: Vec<String>,
}

impl Run {
    /// The places of the calls of `command`, for example `s3 mb`.
    fn places(&self, command: &str) -> Vec<usize> {
        let begins = command.split(' ').map(|word| format!("<{word}>")).collect::<String>();
        let calls = self.calls.iter().enumerate();
        calls.filter(|(_, call)| call.starts_with(&begins)).map(|(place, _)| place).collect()
    }

    /// The only call of `command`.
    fn call(&self, command: &str) -> &str {
        let places = self.places(command);
        assert_eq!(places.len(), 1, "{command} in {:#?}\n{}", self.calls, self.printed);
        &self.calls[places[0]]
    }

    /// Checks that each of the commands was called once, one after the other.
    fn did_in_order(&self, commands: &[&str]) {
        let places: Vec<_> = commands
            .iter()
            .map(|command| {
                self.call(command);
                self.places(command)[0]
            })
            .collect();
        assert!(places.is_sorted(), "{commands:?} in {:#?}", self.calls);
    }

    fn did_not(&self, commands: &[&str]) {
        for command in commands {
            assert!(self.places(command).is_empty(), "{command} in {:#?}", self.calls);
        }
    }

    fn refused_because_of(&self, reason: &str) {
        assert!(!self.succeeded, "it was not refused: {}", self.printed);
        assert!(self.printed.contains(reason), "{reason} is not in: {}", self.printed);
    }
}

impl Script {
    fn new(name: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra");
        fs::create_dir_all(folder.path().join("infra")).unwrap();
        for file in ["deploy.sh", "destroy.sh", "stack.sh"] {
            fs::copy(infra.join(file), folder.path().join("infra").join(file)).unwrap();
        }
        let variables =
            [("STACK", "formation"), ("REGION", "eu-west-1"), ("ARCHITECTURE", "arm64")];
        Self {
            folder,
            name,
            answers: String::new(),
            variables: variables.map(|(name, value)| (name, value.to_owned())).to_vec(),
        }
        .answering("sts get-caller-identity", ACCOUNT)
    }

    /// A stack that is deployed again, into an account where all is well.
    fn deploy() -> Self {
        Self::new("deploy.sh").in_status("UPDATE_COMPLETE")
    }

    /// A stack that works and is not used.
    fn destroy() -> Self {
        Self::new("destroy.sh").in_status("CREATE_COMPLETE").answering(
            "cloudformation list-stack-resources",
            "AWS::DynamoDB::Table\tTable\tformation-Table-1\n\
             AWS::S3::Bucket\tArtifactBucket\tformation-bucket-1\n\
             AWS::IAM::ManagedPolicy\tFunctionBoundary\tarn:aws:iam::1:policy/boundary\n\
             AWS::IAM::ManagedPolicy\tPlanPolicy\tarn:aws:iam::1:policy/plans\n\
             AWS::IAM::ManagedPolicy\tReadOnlyPolicy\tarn:aws:iam::1:policy/reads\n\
             AWS::IAM::ManagedPolicy\tFullAccessPolicy\tarn:aws:iam::1:policy/does\n\
             AWS::Events::EventBus\tEventBus\tformation\n\
             AWS::Events::Rule\tRequestRule\tformation|formation-RequestRule-1\n\
             AWS::Events::Rule\tScheduleRule\tformation-ScheduleRule-1",
        )
    }

    /// A stack of ours with this status.
    fn in_status(self, status: &str) -> Self {
        self.described(status, DESCRIPTION)
    }

    fn described(self, status: &str, description: &str) -> Self {
        self.answering("cloudformation describe-stacks", status)
            .answering("cloudformation get-template-summary", description)
    }

    /// The last answer given to a command holds.
    fn answering(mut self, command: &str, text: &str) -> Self {
        let branch = format!("'{command}'*) cat <<'TEXT'\n{text}\nTEXT\nexit 0;;\n");
        self.answers.insert_str(0, &branch);
        self
    }

    fn failing(mut self, command: &str, text: &str) -> Self {
        let branch = format!("'{command}'*) echo '{text}' >&2; exit 254;;\n");
        self.answers.insert_str(0, &branch);
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn run(&self) -> Run {
        let (stub, calls) = (self.folder.path().join("aws"), self.folder.path().join("calls"));
        let program = format!(
            "#!/bin/sh\nprintf '<%s>' \"$@\" >> '{0}'\necho >> '{0}'\ncase \"$*\" in\n{1}esac\n",
            calls.display(),
            self.answers
        );
        fs::write(&stub, program).unwrap();
        fs::set_permissions(&stub, Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .arg(self.folder.path().join("infra").join(self.name))
            .env_remove("PARAMETERS")
            .env_remove("DEPLOYMENT_BUCKET")
            .envs(self.variables.clone())
            .env("PATH", path)
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        Run {
            succeeded: output.status.success(),
            printed: String::from_utf8(printed).unwrap(),
            calls: fs::read_to_string(calls).unwrap_or_default().lines().map(Into::into).collect(),
        }
    }
}

#[test]
fn a_first_deploy_makes_a_bucket_for_its_packages() {
    let script = Script::deploy().failing("s3api head-bucket", MISSING);
    let run = script.failing("cloudformation describe-stacks", NO_STACK).run();
    run.did_in_order(&[
        "s3api head-bucket",
        "s3 mb",
        "cloudformation package",
        "cloudformation deploy",
    ]);
    let bucket = format!("formation-deployment-{ACCOUNT}-eu-west-1");
    assert!(run.call("s3 mb").contains(&format!("<s3://{bucket}>")), "{:#?}", run.calls);
    run.did_not(&["cloudformation delete-stack"]);
}

#[test]
fn a_bucket_that_is_anothers_gets_no_packages() {
    let script = Script::deploy().failing("s3api head-bucket", FORBIDDEN);
    let run = script.run();
    run.refused_because_of(&format!("is not the account's ({ACCOUNT})"));
    let owner = format!("<--expected-bucket-owner><{ACCOUNT}>");
    assert!(run.call("s3api head-bucket").contains(&owner), "{:#?}", run.calls);
    run.did_not(&["s3 mb", "cloudformation package", "cloudformation deploy"]);
}

#[test]
fn a_first_deploy_that_failed_can_be_repeated() {
    for status in ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"] {
        let run = Script::deploy()
            .in_status(status)
            .answering(
                "cloudformation list-stack-resources",
                "AWS::DynamoDB::Table\tTable\tformation-Table-1",
            )
            .run();
        assert!(run.succeeded, "{status}: {}", run.printed);
        run.did_in_order(&[
            "cloudformation package",
            "cloudformation delete-stack",
            "cloudformation wait stack-delete-complete",
            "cloudformation deploy",
        ]);
        assert!(run.printed.contains("the table formation-Table-1"), "{status}: {}", run.printed);
    }
}

#[test]
fn a_stack_that_works_is_never_deleted_by_a_deploy() {
    for status in
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "DELETE_FAILED"]
    {
        let run = Script::deploy().in_status(status).run();
        assert!(run.succeeded, "{status}: {}", run.printed);
        run.did_in_order(&["cloudformation package", "cloudformation deploy"]);
        run.did_not(&["cloudformation delete-stack", "s3 mb"]);
    }
}

#[test]
fn a_name_that_aws_would_refuse_is_refused_before_anything_is_done() {
    let long = "a".repeat(81);
    for (stack, bucket, reason) in [
        ("a-stack-of-thirty-characters-30", "", "of which S3 takes 63"),
        (long.as_str(), "packages", "may have 80"),
        ("formation", long.as_str(), "of which S3 takes 63"),
        ("form_ation", "", "letters, digits and hyphens"),
        ("2formation", "", "letters, digits and hyphens"),
    ] {
        let script = Script::deploy().with("STACK", stack).with("DEPLOYMENT_BUCKET", bucket);
        let run = script.run();
        run.refused_because_of(reason);
        assert!(run.calls.is_empty(), "{:#?}", run.calls);
    }
}

#[test]
fn a_stack_may_have_capitals_although_its_bucket_may_not() {
    let run = Script::deploy().with("STACK", "Formation").run();
    assert!(run.succeeded, "{}", run.printed);
    let bucket = format!("<formation-deployment-{ACCOUNT}-eu-west-1>");
    assert!(run.call("s3api head-bucket").contains(&bucket), "{:#?}", run.calls);
    let deploy = run.call("cloudformation deploy");
    assert!(deploy.contains("<--stack-name><Formation>") && deploy.contains(&bucket), "{deploy}");
}

#[test]
fn parameters_reach_cloudformation_as_they_were_written() {
    let script = Script::deploy();
    // What a shell would make of the pattern.
    fs::write(script.folder.path().join("EventRequesters=arn:1"), "").unwrap();
    let run =
        script.with("PARAMETERS", "EventRequesters=arn:*  DriftMode=REPAIR\nCodeBuckets=").run();
    assert!(run.succeeded, "{}", run.printed);
    let deploy = run.call("cloudformation deploy");
    let expected = "<Architecture=arm64><DefaultArchitecture=arm64>\
                    <EventRequesters=arn:*><DriftMode=REPAIR><CodeBuckets=>";
    assert!(deploy.ends_with(expected), "{deploy}");

    let run = Script::deploy().with("PARAMETERS", "Description=two words").run();
    run.refused_because_of("this is not: words");
    assert!(run.calls.is_empty(), "{:#?}", run.calls);
}

#[test]
fn a_stack_that_nobody_uses_is_deleted_and_what_stays_is_named() {
    let script = Script::destroy().answering("events list-rules", "formation-RequestRule-1");
    let run = script.run();
    assert!(run.succeeded, "{}", run.printed);
    run.did_in_order(&[
        "dynamodb query",
        "events list-rules",
        "cloudformation delete-stack",
        "cloudformation wait stack-delete-complete",
    ]);
    let packages = format!("formation-deployment-{ACCOUNT}-eu-west-1");
    for kept in ["formation-Table-1", "formation-bucket-1", "policy/boundary", &packages] {
        assert!(run.printed.contains(kept), "{kept} is not in {}", run.printed);
    }
}

#[test]
fn nothing_is_deleted_while_a_stack_is_used() {
    let attached = "iam list-entities-for-policy --region eu-west-1 --policy-arn";
    for (command, answer, reasons) in [
        ("dynamodb query".to_owned(), "hello\tgreeter", vec!["hello", "greeter"]),
        (
            format!("{attached} arn:aws:iam::1:policy/reads"),
            "ann\tbuilders",
            vec!["ann", "builders"],
        ),
        (format!("{attached} arn:aws:iam::1:policy/does"), "deployer", vec!["deployer"]),
        (format!("{attached} arn:aws:iam::1:policy/plans"), "builds", vec!["builds"]),
        (
            "events list-rules".to_owned(),
            "formation-RequestRule-1\ttheirs",
            vec!["the rule theirs on the bus formation"],
        ),
    ] {
        let run = Script::destroy().answering(&command, answer).run();
        for reason in reasons {
            run.refused_because_of(reason);
        }
        assert!(!run.printed.contains("RequestRule"), "its own rule is in {}", run.printed);
        run.did_not(&["cloudformation delete-stack"]);
    }
    // What the boundary bounds is kept with it.
    let boundary = format!("{attached} arn:aws:iam::1:policy/boundary");
    assert!(Script::destroy().answering(&boundary, "formation_role").run().succeeded);
}

#[test]
fn a_stack_that_never_worked_can_be_destroyed() {
    let script = Script::destroy().failing("s3api head-bucket", MISSING);
    let run = script
        .in_status("ROLLBACK_COMPLETE")
        .answering(
            "cloudformation list-stack-resources",
            "AWS::DynamoDB::Table\tTable\tformation-Table-1",
        )
        .run();
    assert!(run.succeeded, "{}", run.printed);
    run.did_in_order(&["dynamodb query", "cloudformation delete-stack"]);
    run.did_not(&["iam list-entities-for-policy", "events list-rules"]);
    let kept: Vec<_> = run.printed.lines().filter(|line| line.starts_with("  the ")).collect();
    assert_eq!(kept, ["  the table formation-Table-1, with the history of operations"]);
}

#[test]
fn a_stack_that_has_lost_parts_can_be_destroyed() {
    let missing = |code: &str| format!("An error occurred ({code}) when calling it: not found");
    let script = Script::destroy()
        .failing("dynamodb query", &missing("ResourceNotFoundException"))
        .failing("iam list-entities-for-policy", &missing("NoSuchEntity"))
        .failing("events list-rules", &missing("ResourceNotFoundException"));
    let run = script.run();
    assert!(run.succeeded, "{}", run.printed);
    run.call("cloudformation delete-stack");

    for command in ["dynamodb query", "iam list-entities-for-policy", "events list-rules"] {
        let run = Script::destroy().failing(command, &missing("AccessDeniedException")).run();
        run.refused_because_of("AccessDeniedException");
        run.did_not(&["cloudformation delete-stack"]);
    }
}

#[test]
fn no_values_are_read_to_tell_which_functions_there_are() {
    let run = Script::destroy().run();
    let query = run.call("dynamodb query");
    assert!(query.contains("<--projection-expression><sk>"), "{query}");
}

#[test]
fn a_stack_of_another_product_is_never_deleted_or_replaced() {
    for script in [Script::deploy, Script::destroy] {
        for status in ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"] {
            // The CLI writes None where a stack has no description.
            for description in ["A shop", "None", "Like Formation provisions functions"] {
                let run = script().described(status, description).run();
                run.refused_because_of("the stack formation is not Formation's: nothing was done");
                assert_eq!(run.calls.len(), 2, "{status}, {description}: {:#?}", run.calls);
            }
        }
    }
}

#[test]
fn a_stack_that_cannot_be_looked_at_is_left_alone() {
    for code in ["AccessDenied", "Throttling", "ExpiredToken"] {
        for script in [Script::deploy, Script::destroy] {
            let problem = format!("An error occurred ({code}) when calling DescribeStacks");
            let run = script().failing("cloudformation describe-stacks", &problem).run();
            run.refused_because_of(&problem);
            assert_eq!(run.calls.len(), 1, "{:#?}", run.calls);
        }
    }
}

#[test]
fn a_stack_that_is_not_there_is_not_destroyed() {
    let run = Script::destroy().failing("cloudformation describe-stacks", NO_STACK).run();
    run.refused_because_of("there is no stack formation in eu-west-1");
    assert_eq!(run.calls.len(), 1, "{:#?}", run.calls);
}

#[test]
fn the_scripts_know_the_template_by_its_description() {
    let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra");
    let read = |file| fs::read_to_string(infra.join(file)).unwrap();
    let (template, scripts) = (read("template.yaml"), read("stack.sh"));
    let own = template.lines().find_map(|line| line.strip_prefix("Description: ")).unwrap();
    assert!(own.starts_with(DESCRIPTION), "{own}");
    let (_, known) = scripts.split_once("$description == \"").unwrap();
    let (known, _) = known.split_once("\"*").unwrap();
    assert!(known.len() > 20 && own.starts_with(known), "{known}");
}
