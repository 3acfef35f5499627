//! What statements may ask for.

use super::super::Defaults;
use super::*;
use crate::request::tests::{DEFAULTS, current, hello_with};
use crate::request::{patched, read};

fn one(member: &str, value: Value) -> Value {
    let mut statement = json!({"actions": ["s3:GetObject"], "resources": ["*"]});
    statement[member] = value;
    json!([statement])
}

fn problems_of(statements: &Value, defaults: &Defaults) -> Vec<(String, Code)> {
    let found = read(&hello_with("policyStatements", statements.clone()), defaults, None).err();
    let found = found.unwrap_or_default().into_iter();
    found.map(|it| (it.pointer, *it.code.known().unwrap())).collect()
}

fn problems(statements: &Value) -> Vec<(String, Code)> {
    problems_of(statements, &DEFAULTS)
}

#[test]
fn statements_are_kept_as_they_are_asked_for() {
    let statements = json!([
        {"actions": ["*"], "resources": ["*"]},
        {
            "actions": ["dynamodb:PutItem", "S3:get*", "execute-api:Invoke", "sqs:?*"],
            "resources": [
                "arn:aws:s3:::bucket/${aws:PrincipalTag/team}/*",
                "arn:*:dynamodb:*:111122223333:table/a:b",
                "arn:aws-cn:sqs:cn-north-1:1111*:q?"
            ],
            "conditions": {
                "StringEquals": {"aws:ResourceTag/my team": ["a", "${aws:username}"]},
                "ForAnyValue:StringLikeIfExists": {"dynamodb:Attributes": "b*"},
                "NumericLessThan": {"s3:max-keys": 10},
                "Bool": {"aws:SecureTransport": true},
                "Null": {"aws:TagKeys": "false"},
                "ForAllValues:ArnLike": {"aws:SourceArn": "arn:aws:s3:::x"}
            }
        }
    ]);
    let request = read(&hello_with("policyStatements", statements.clone()), &DEFAULTS, None);
    let request = request.unwrap();
    assert_eq!(json!(request.permissions.policy_statements), statements);
    let iam = request.permissions.policy_statements.iter().map(PolicyStatement::to_iam);
    let back: Vec<_> = iam.map(|statement| PolicyStatement::from_iam(&statement)).collect();
    assert_eq!(json!(back), statements);
    // No conditions are none, and a whole number has one spelling.
    let read = read(
        &hello_with(
            "policyStatements",
            json!([
                {"actions": ["a:b"], "resources": ["*"], "conditions": {}},
                {"actions": ["a:b"], "resources": ["*"], "conditions": {"NumericEquals": {"a:b": 1.0}}}
            ]),
        ),
        &DEFAULTS,
        None,
    );
    let statements = json!(read.unwrap().permissions.policy_statements);
    assert_eq!(statements[0], json!({"actions": ["a:b"], "resources": ["*"]}));
    assert_eq!(statements[1]["conditions"]["NumericEquals"]["a:b"].to_string(), "1");
}

#[test]
fn a_number_that_would_become_another_is_refused() {
    let of = |number: &str| {
        let number: Value = serde_json::from_str(number).unwrap();
        problems(&one("conditions", json!({"NumericLessThan": {"aws:x": number}})))
    };
    let at = "/policyStatements/0/conditions/NumericLessThan/aws:x".to_owned();
    for number in ["1e19", "-1e19", "9223372036854775808", "1e-300"] {
        assert_eq!(of(number), [(at.clone(), Code::OutOfRange)], "{number}");
    }
    for number in ["0", "-0.0", "9223372036854775807", "1e18", "0.5", "1e-100"] {
        assert_eq!(of(number), [], "{number}");
    }
}

#[test]
fn each_member_is_checked_and_told_of_at_its_place() {
    let at = |place: &str, code| vec![(format!("/policyStatements{place}"), code)];
    for (statements, expected) in [
        (json!("x"), at("", Code::WrongType)),
        (json!({}), at("", Code::WrongType)),
        (json!(["x"]), at("/0", Code::WrongType)),
        (json!([{"resources": ["*"]}]), at("/0/actions", Code::Required)),
        (json!([{"actions": ["a:b"]}]), at("/0/resources", Code::Required)),
        (one("actions", json!([])), at("/0/actions", Code::OutOfRange)),
        (one("actions", json!("s3:*")), at("/0/actions", Code::WrongType)),
        (one("actions", json!(["s3:*", 1])), at("/0/actions/1", Code::WrongType)),
        (one("actions", json!(["s3"])), at("/0/actions/0", Code::InvalidFormat)),
        (one("actions", json!([":x"])), at("/0/actions/0", Code::InvalidFormat)),
        (one("actions", json!(["s3:"])), at("/0/actions/0", Code::InvalidFormat)),
        (one("actions", json!(["*:Get*"])), at("/0/actions/0", Code::InvalidFormat)),
        (one("actions", json!(["s3:Get Object"])), at("/0/actions/0", Code::InvalidFormat)),
        (one("resources", json!([])), at("/0/resources", Code::OutOfRange)),
        (one("resources", json!(["bucket"])), at("/0/resources/0", Code::InvalidFormat)),
        (one("resources", json!(["arn:aws:s3:::"])), at("/0/resources/0", Code::InvalidFormat)),
        (one("resources", json!(["arn:aws:s3:x"])), at("/0/resources/0", Code::InvalidFormat)),
        (one("resources", json!(["arn:aws:*:::x"])), at("/0/resources/0", Code::InvalidFormat)),
        (one("resources", json!(["arn:aws::::x"])), at("/0/resources/0", Code::InvalidFormat)),
        (
            one("resources", json!(["*", "arn:a s:s3:::x"])),
            at("/0/resources/1", Code::InvalidFormat),
        ),
        (
            one("resources", json!(["arn:aws:s3:::${s3:x}"])),
            at("/0/resources/0", Code::InvalidFormat),
        ),
        (
            one("resources", json!(["arn:aws:s3:::${aws:x"])),
            at("/0/resources/0", Code::InvalidFormat),
        ),
        (
            one("resources", json!(["arn:aws:s3:::\u{100}"])),
            at("/0/resources/0", Code::InvalidFormat),
        ),
        (one("conditions", json!([])), at("/0/conditions", Code::WrongType)),
        (one("conditions", json!({"Equals": {}})), at("/0/conditions/Equals", Code::NotSupported)),
        (
            one("conditions", json!({"NullIfExists": {"a:b": "true"}})),
            at("/0/conditions/NullIfExists", Code::NotSupported),
        ),
        (one("conditions", json!({"Bool": []})), at("/0/conditions/Bool", Code::WrongType)),
        (one("conditions", json!({"Bool": {}})), at("/0/conditions/Bool", Code::OutOfRange)),
        (
            one("conditions", json!({"Bool": {"aws:x/y": []}})),
            at("/0/conditions/Bool/aws:x~1y", Code::OutOfRange),
        ),
        (
            one("conditions", json!({"Bool": {"a:b": ["x", null]}})),
            at("/0/conditions/Bool/a:b/1", Code::WrongType),
        ),
        (
            one("conditions", json!({"Bool": {"x": true}})),
            at("/0/conditions/Bool/x", Code::InvalidFormat),
        ),
        (one("sID", json!("x")), at("/0/sID", Code::UnknownField)),
        (one("Effect", json!("Deny")), at("/0/Effect", Code::UnknownField)),
        (one("NotAction", json!(["x"])), at("/0/NotAction", Code::UnknownField)),
        (one("notResource", json!(["x"])), at("/0/notResource", Code::UnknownField)),
        (one("PRINCIPAL", json!("*")), at("/0/PRINCIPAL", Code::UnknownField)),
        (one("Actions", json!(["a:b"])), at("/0/Actions", Code::UnknownField)),
    ] {
        assert_eq!(problems(&statements), expected, "{statements}");
    }
    let several =
        json!([{"Effect": "Allow", "actions": ["x"]}, {"actions": ["a:b"], "resources": 1}]);
    let places: Vec<_> = problems(&several).into_iter().map(|(place, _)| place).collect();
    let expected = ["0/Effect", "0/actions/0", "0/resources", "1/resources"];
    assert_eq!(places, expected.map(|it| format!("/policyStatements/{it}")));
}

#[test]
fn what_is_not_taken_is_told_what_to_do() {
    for (member, told) in [("Effect", "leave it out"), ("NotAction", "name in actions")] {
        let body = hello_with("policyStatements", one(member, json!("x")));
        let found = read(&body, &DEFAULTS, None).unwrap_err();
        assert!(found[0].detail.contains(told), "{}", found[0].detail);
    }
}

/// Statements of so many characters, as IAM counts them.
fn of(count: usize) -> Value {
    let statement =
        |rest: usize| one("resources", json!([format!("arn:aws:s3:::{}", "x".repeat(rest))]));
    let made: Vec<PolicyStatement> = serde_json::from_value(statement(1)).unwrap();
    statement(1 + count - characters(&made))
}

#[test]
fn all_statements_together_have_a_limit_that_the_problem_names() {
    let defaults = Defaults { policy_characters: Some(1234), ..DEFAULTS.clone() };
    assert_eq!(problems_of(&of(1234), &defaults), []);
    let too_long = of(1235);
    let body = hello_with("policyStatements", too_long.clone());
    let found = read(&body, &defaults, None).unwrap_err();
    assert_eq!(found[0].pointer, "/policyStatements");
    assert!(found[0].detail.contains("1234 characters"), "{}", found[0].detail);
    // However much there is, little is told of it.
    let huge = json!(vec![json!({"x": 1}); 100_000]);
    assert_eq!(problems(&huge), [("/policyStatements".to_owned(), Code::OutOfRange)]);
    // White space in strings is not between what a statement is made of.
    for space in [" ", "\u{a0}"] {
        let spaces = one("conditions", json!({"StringEquals": {"aws:x": space.repeat(2000)}}));
        let expected = [("/policyStatements".to_owned(), Code::OutOfRange)];
        assert_eq!(problems_of(&spaces, &defaults), expected);
    }
}

#[test]
fn without_a_boundary_of_the_platform_team_there_are_no_permissions() {
    let none = Defaults { policy_characters: None, ..DEFAULTS.clone() };
    assert_eq!(problems_of(&json!([]), &none), []);
    let body = hello_with("policyStatements", of(100));
    let found = read(&body, &none, None).unwrap_err();
    assert_eq!(found[0].code, Code::NotSupported);
    assert!(found[0].detail.contains("FunctionBoundaryArn"), "{}", found[0].detail);

    // What a function has, it keeps.
    let with = read(&body, &DEFAULTS, None).unwrap().with_code(current().code);
    let kept = patched(&json!({"memoryMegabytes": 512}), &none, &with).unwrap();
    assert_eq!(kept.permissions, with.permissions);
    let more = [of(100)[0].clone(), of(90)[0].clone()];
    assert!(patched(&json!({"policyStatements": more}), &none, &with).is_err());
    let short = Defaults { policy_characters: Some(50), ..DEFAULTS.clone() };
    assert!(patched(&json!({"memoryMegabytes": 512}), &short, &with).is_ok());
    assert!(patched(&json!({"policyStatements": null}), &none, &with).is_ok());
}

#[test]
fn what_others_have_written_is_shown_as_it_is() {
    for statement in [
        json!({"Effect": "Deny", "Action": ["a:b"], "Resource": ["*"]}),
        json!({"Effect": "Allow", "Action": "a:b", "Resource": ["*"]}),
        json!({"Effect": "Allow", "NotAction": ["a:b"], "Resource": ["*"]}),
        json!({"Sid": "x", "Effect": "Allow", "Action": ["a:b"], "Resource": ["*"]}),
        json!("x"),
    ] {
        assert_eq!(PolicyStatement::from_iam(&statement), statement);
    }
}
