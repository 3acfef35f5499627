//! What a function is allowed, and the guard beside it.

use aws_sdk_iam::operation::put_role_permissions_boundary::PutRolePermissionsBoundaryOutput;

use super::*;

fn allowing(actions: &[&str]) -> FunctionSpec {
    let mut spec = spec();
    let statement = |action: &&str| json!({"actions": [action], "resources": ["*"]});
    let statements = actions.iter().map(statement).collect();
    spec.permissions.policy_statements = serde_json::from_value(statements).unwrap();
    spec
}

fn policy(spec: &FunctionSpec) -> Policy {
    Policy::permissions(&settings(), spec).unwrap()
}

fn get() -> Rule {
    mock!(Client::get_role).then_output(ours)
}

fn get_logging() -> Rule {
    mock!(Client::get_role_policy)
        .match_requests(|request| request.policy_name() == Some(LOGGING_POLICY))
        .then_output(|| shown_policy(&our_policy()))
}

fn get_policy(name: &str, document: &Value) -> Rule {
    let (name, document) = (name.to_owned(), document.clone());
    mock!(Client::get_role_policy)
        .match_requests(move |request| request.policy_name() == Some(&name))
        .then_output(move || shown_policy(&document))
}

fn put(policy: &Policy) -> Rule {
    let Policy { name, document } = policy.clone();
    mock!(Client::put_role_policy)
        .match_requests(move |request| {
            let sent: Value = serde_json::from_str(request.policy_document().unwrap()).unwrap();
            request.policy_name() == Some(&name) && sent == document
        })
        .then_output(|| PutRolePolicyOutput::builder().build())
}

fn delete_policy(name: &str) -> Rule {
    let name = name.to_owned();
    mock!(Client::delete_role_policy)
        .match_requests(move |request| request.policy_name() == Some(&name))
        .then_output(|| DeleteRolePolicyOutput::builder().build())
}

fn lists(inline: &[&str]) -> [Rule; 2] {
    let inline: Vec<_> =
        [LOGGING_POLICY].iter().chain(inline).map(|name| (*name).to_owned()).collect();
    let listed = move || {
        let names = Some(inline.clone());
        ListRolePoliciesOutput::builder().set_policy_names(names).build().unwrap()
    };
    let attached = || ListAttachedRolePoliciesOutput::builder().build();
    [
        mock!(Client::list_role_policies).then_output(listed),
        mock!(Client::list_attached_role_policies).then_output(attached),
    ]
}

#[test]
fn what_is_allowed_stands_in_one_document_with_the_four_denials() {
    let document = policy(&allowing(&["s3:GetObject", "sqs:*"])).document;
    let statements = document["Statement"].as_array().unwrap();
    let of = |effect: &str| statements.iter().filter(|it| it["Effect"] == effect).count();
    assert_eq!((of("Allow"), of("Deny"), statements.len()), (2, 4, 6));
    assert_eq!(
        statements[2]["Resource"],
        json!(["arn:aws:iam::111122223333:*/formation-*", BOUNDARY])
    );
    assert_eq!(Policy::permissions(&settings(), &spec()), None);
}

/// The settings of a stack of the usual name, as `infra/template.yaml` lists what is guarded.
fn of_a_stack() -> RoleSettings {
    let template = include_str!("../../../../../infra/template.yaml");
    let (_, list) = template.split_once("GUARDED_ARNS: &guarded !Join").unwrap();
    let (list, _) = list.split_once("PERMISSIONS_BOUNDARY_ARN").unwrap();
    let resources = [
        (
            "${Table.Arn}",
            "arn:aws:dynamodb:ap-southeast-1:111122223333:table/formation-Table-1A2B3C4D5E6F7",
        ),
        ("${ArtifactBucket.Arn}", "arn:aws:s3:::formation-artifactbucket-1a2b3c4d5e6f7"),
        ("${AWS::Partition}", "aws"),
        ("${AWS::AccountId}", "111122223333"),
        ("${AWS::StackName}", "formation"),
        ("${StackKey.Value}", "0a1b2c3d"),
        ("${HttpApi}", "a1b2c3d4e5"),
        (
            "RequestQueue.Arn",
            "arn:aws:sqs:ap-southeast-1:111122223333:formation-RequestQueue-1A2B3C4D5E6F7",
        ),
        (
            "DeadLetterQueue.Arn",
            "arn:aws:sqs:ap-southeast-1:111122223333:formation-DeadLetterQueue-1A2B3C4D5E6F7",
        ),
    ];
    let guarded =
        list.lines().filter_map(|line| line.split_once("!Sub ").or(line.split_once("!GetAtt ")));
    let guarded = guarded.map(|(_, pattern)| {
        resources.iter().fold(pattern.to_owned(), |text, (name, value)| text.replace(name, value))
    });
    RoleSettings {
        boundary_arn: "arn:aws:iam::111122223333:policy/platform/the-boundary-of-all-functions"
            .into(),
        guarded: guarded.collect(),
        ..settings()
    }
}

#[test]
fn a_function_of_a_usual_stack_can_have_all_of_its_characters() {
    let settings = of_a_stack();
    assert!(settings.guarded.len() > 15, "{:?}", settings.guarded);
    assert_eq!(settings.policy_characters(), Some(3000));
    let own = RoleSettings { has_platforms_boundary: false, ..settings };
    assert_eq!(own.policy_characters(), None);
}

/// Statements of as many characters as the stack allows.
fn longest(settings: &RoleSettings) -> FunctionSpec {
    use formation_model::function::permissions::characters;
    let mut spec = allowing(&["s3:GetObject"]);
    spec.function_name = "x".repeat(64).parse().unwrap();
    spec.configuration.tracing = Tracing::Active;
    let statement = &mut spec.permissions.policy_statements;
    let room = settings.policy_characters().unwrap() - characters(statement);
    statement[0].resources[0].push_str(&"x".repeat(room));
    assert_eq!(characters(statement), settings.policy_characters().unwrap());
    spec
}

#[test]
fn the_old_permissions_and_the_new_ones_fit_beside_each_other_whatever_the_stack_is_called() {
    let long = |length: usize| {
        let mut settings = of_a_stack();
        let name = "f".repeat(length);
        for pattern in &mut settings.guarded {
            *pattern = pattern.replace("formation", &name);
        }
        settings
    };
    for settings in [of_a_stack(), long(40), long(80)] {
        let spec = longest(&settings);
        let documents = [
            Policy::logging(&settings.stack, &spec).document,
            Policy::permissions(&settings, &spec).unwrap().document,
            Policy::permissions(&settings, &spec).unwrap().document,
        ];
        let counted: usize = documents.iter().map(policies::characters).sum();
        assert!(counted <= 10_240, "{counted}");
        // What was made with less of a guard, and for more statements.
        let less = RoleSettings { guarded: settings.guarded[1..].to_vec(), ..settings.clone() };
        let old = longest(&less);
        let old = [&less, &settings].map(|at| Policy::permissions(at, &old).unwrap());
        assert_eq!(old[0].name, old[1].name, "one takes the place of the other");
        let counted = old.map(|old| policies::characters(&old.document));
        let room = 10_240 - policies::characters(&documents[0]);
        assert!(counted[1] <= room, "{counted:?}");
        assert!(counted[0] + policies::characters(&documents[1]) <= room, "{counted:?}");
        assert!(settings.policy_characters() > Some(1000), "{settings:?}");
    }
}

#[tokio::test]
async fn a_new_role_with_permissions_takes_three_writes() {
    let spec = allowing(&["s3:GetObject"]);
    let create = mock!(Client::create_role).then_output(created);
    let logging = put(&Policy::logging(&stack(), &spec));
    let permissions = put(&policy(&spec));
    let rules = [&create, &logging, &permissions];
    ensure(&client(&rules), &settings(), &target(&spec, None)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn what_is_as_wanted_is_read_and_not_written() {
    let spec = allowing(&["s3:GetObject"]);
    let wanted = policy(&spec);
    let [inline, attached] = lists(&[&wanted.name]);
    let own = get_policy(&wanted.name, &wanted.document);
    let rules = [&get(), &get_logging(), &inline, &attached, &own];
    ensure(&client(&rules), &settings(), &target(&spec, Some(&spec))).await.unwrap();
    assert_all_called(&rules);

    let [inline, attached] = lists(&[&wanted.name]);
    let own = get_policy(&wanted.name, &wanted.document);
    let rules = [&get(), &get_logging(), &inline, &attached, &own];
    let found = compare(&client(&rules), &settings(), &spec, None).await.unwrap();
    assert_eq!(found, []);
    assert_all_called(&rules);
}

#[tokio::test]
async fn the_new_permissions_are_there_before_the_old_ones_go_and_what_others_gave_goes_first() {
    let (former, spec) = (allowing(&["s3:GetObject"]), allowing(&["sqs:SendMessage"]));
    let old = policy(&former);
    let [inline, attached] = lists(&["extra", &old.name, "permissions-00000000"]);
    let (extra, other) = (delete_policy("extra"), delete_policy("permissions-00000000"));
    let (new, old) = (put(&policy(&spec)), delete_policy(&old.name));
    // In this order and in no other.
    let rules = [&get(), &get_logging(), &inline, &attached, &extra, &other, &new, &old];
    ensure(&client(&rules), &settings(), &target(&spec, Some(&former))).await.unwrap();
    assert_all_called(&rules);
}

fn both<'a>(spec: &'a FunctionSpec, former: &'a FunctionSpec) -> Target<'a> {
    Target { only_adds: true, ..target(spec, Some(former)) }
}

#[tokio::test]
async fn until_callers_have_moved_both_permissions_stand_beside_each_other() {
    let (former, spec) = (allowing(&["s3:GetObject"]), allowing(&["sqs:SendMessage"]));
    let old = policy(&former);
    let [inline, attached] = lists(&["extra", &old.name]);
    let new = put(&policy(&spec));
    let rules = [&get(), &get_logging(), &inline, &attached, &new];
    let made = ensure(&client(&rules), &settings(), &both(&spec, &former)).await.unwrap();
    assert!(made.has_more, "what callers may need goes once they have moved");
    assert_all_called(&rules);

    // Again, as after an answer that was lost: nothing is written.
    let new = policy(&spec);
    let [inline, attached] = lists(&[&old.name, &new.name]);
    let there = get_policy(&new.name, &new.document);
    let rules = [&get(), &get_logging(), &inline, &attached, &there];
    let again = ensure(&client(&rules), &settings(), &both(&spec, &former)).await.unwrap();
    assert!(again.has_more, "told alike however often it is done");
    assert_all_called(&rules);

    // Once they have, the old ones go.
    let [inline, attached] = lists(&["extra", &old.name, &new.name]);
    let there = get_policy(&new.name, &new.document);
    let (extra, gone) = (delete_policy("extra"), delete_policy(&old.name));
    let rules = [&get(), &get_logging(), &inline, &attached, &extra, &there, &gone];
    let made = ensure(&client(&rules), &settings(), &target(&spec, Some(&former))).await.unwrap();
    assert!(!made.has_more);
    assert_all_called(&rules);
    // Where nothing goes nothing is narrowed.
    let [inline, attached] = lists(&[&new.name]);
    let there = get_policy(&new.name, &new.document);
    let rules = [&get(), &get_logging(), &inline, &attached, &there];
    let made = ensure(&client(&rules), &settings(), &both(&spec, &spec)).await.unwrap();
    assert!(!made.has_more);
}

#[tokio::test]
async fn what_is_narrowed_already_is_not_widened_by_another_execution_of_the_attempt() {
    let (mut former, spec) = (allowing(&["s3:GetObject"]), allowing(&["sqs:SendMessage"]));
    former.configuration.tracing = Tracing::Active;
    let new = policy(&spec);
    let [inline, attached] = lists(&[&new.name]);
    let there = get_policy(&new.name, &new.document);
    let rules = [&get(), &get_logging(), &inline, &attached, &there];
    ensure(&client(&rules), &settings(), &both(&spec, &former)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn what_others_have_written_into_what_callers_need_is_taken_out_where_it_takes_room() {
    let (former, spec) = (allowing(&["s3:GetObject"]), allowing(&["sqs:SendMessage"]));
    let (old, new) = (policy(&former), policy(&spec));
    let full =
        mock!(Client::put_role_policy).then_http_response(|| iam_error(409, "LimitExceeded"));
    let ([inline, attached], small, put) = (lists(&[&old.name]), put(&old), put(&new));
    let rules = [&get(), &get_logging(), &inline, &attached, &full, &small, &put];
    ensure(&client(&rules), &settings(), &both(&spec, &former)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn what_is_traced_still_may_be_until_callers_have_moved() {
    let mut traced = spec();
    traced.configuration.tracing = Tracing::Active;
    let logging = Policy::logging(&settings().stack, &traced);
    let shown =
        || get_policy(LOGGING_POLICY, &Policy::logging(&settings().stack, &traced).document);
    let untraced = spec();
    let ([inline, attached], there) = (lists(&[]), shown());
    let rules = [&get(), &there, &inline, &attached];
    ensure(&client(&rules), &settings(), &both(&untraced, &traced)).await.unwrap();
    assert_all_called(&rules);
    let ([inline, attached], there) = (lists(&[]), shown());
    let narrowed = put(&Policy::logging(&settings().stack, &untraced));
    let rules = [&get(), &there, &inline, &attached, &narrowed];
    ensure(&client(&rules), &settings(), &target(&untraced, Some(&traced))).await.unwrap();
    assert_all_called(&rules);
    // The other way round it is there before the move.
    let ([inline, attached], there) = (lists(&[]), get_logging());
    let rules = [&get(), &there, &inline, &attached, &put(&logging)];
    ensure(&client(&rules), &settings(), &both(&traced, &untraced)).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn what_others_have_written_into_a_role_takes_no_room_for_long() {
    let (former, spec) = (allowing(&["s3:GetObject"]), allowing(&["sqs:SendMessage"]));
    let (old, new) = (policy(&former), policy(&spec));
    let full =
        || mock!(Client::put_role_policy).then_http_response(|| iam_error(409, "LimitExceeded"));
    // What is not ours goes before anything is put, what log writing needs too.
    let logging = Policy { name: LOGGING_POLICY.to_owned(), document: our_policy() };
    let other = get_policy(LOGGING_POLICY, &json!({}));
    let ([inline, attached], hand) = (lists(&["hand", &old.name]), delete_policy("hand"));
    let (logs, full, gone, put) = (put(&logging), full(), delete_policy(&old.name), put(&new));
    // Ours that others have made large goes where it is in the way.
    let rules = [&get(), &other, &inline, &attached, &hand, &logs, &full, &gone, &put];
    ensure(&client(&rules), &settings(), &target(&spec, Some(&former))).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn what_stands_beside_another_guard_is_replaced_in_one_call() {
    let spec = allowing(&["s3:GetObject"]);
    let other = RoleSettings { guarded: Vec::new(), ..settings() };
    let Policy { name, document } = Policy::permissions(&other, &spec).unwrap();
    let ([inline, attached], old) = (lists(&[&name]), get_policy(&name, &document));
    let new = put(&policy(&spec));
    assert_eq!(policy(&spec).name, name);
    let rules = [&get(), &get_logging(), &inline, &attached, &old, &new];
    ensure(&client(&rules), &settings(), &target(&spec, Some(&spec))).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test]
async fn permissions_that_are_not_wanted_any_more_go() {
    let former = allowing(&["s3:GetObject"]);
    let old = policy(&former).name;
    let ([inline, attached], gone) = (lists(&[&old]), delete_policy(&old));
    let rules = [&get(), &get_logging(), &inline, &attached, &gone];
    ensure(&client(&rules), &settings(), &target(&spec(), Some(&former))).await.unwrap();
    assert_all_called(&rules);
}

#[tokio::test(start_paused = true)]
async fn a_boundary_that_was_just_put_is_waited_for() {
    let spec = allowing(&["s3:GetObject"]);
    let settings =
        RoleSettings { boundary_arn: "arn:aws:iam::111122223333:policy/new".into(), ..settings() };
    let bound = || {
        mock!(Client::put_role_permissions_boundary)
            .match_requests(|it| {
                it.permissions_boundary() == Some("arn:aws:iam::111122223333:policy/new")
            })
            .then_output(|| PutRolePermissionsBoundaryOutput::builder().build())
    };
    let denied =
        || mock!(Client::put_role_policy).then_http_response(|| iam_error(403, "AccessDenied"));
    let wanted = Policy::permissions(&settings, &spec).unwrap();
    let ([inline, attached], put) = (lists(&[]), put(&wanted));
    let bounded = bound();
    let rules = [&get(), &bounded, &get_logging(), &inline, &attached, &denied(), &denied(), &put];
    ensure(&client(&rules), &settings, &target(&spec, Some(&spec))).await.unwrap();
    assert_all_called(&rules);

    // In vain: the state machine waits.
    let [inline, attached] = lists(&[]);
    let bounded = bound();
    let refused: Vec<_> = (0..=BOUNDARY_PAUSES.len()).map(|_| denied()).collect();
    let (get, logging) = (get(), get_logging());
    let mut rules = vec![&get, &bounded, &logging, &inline, &attached];
    rules.extend(&refused);
    let error = ensure(&client(&rules), &settings, &target(&spec, Some(&spec))).await;
    assert_eq!(error.unwrap_err().name(), ErrorName::NotReady);
    assert_all_called(&rules);

    // The next attempt finds the boundary in its place, and IAM may still not act by it.
    let next = async |since: Timestamp| {
        let settings = self::settings();
        let ([inline, attached], denied) = (lists(&[]), denied());
        let (get, logging) = (self::get(), get_logging());
        let rules = [&get, &logging, &inline, &attached, &denied];
        let target = Target { since, ..target(&spec, Some(&spec)) };
        let error = ensure(&client(&rules), &settings, &target).await.unwrap_err();
        assert_all_called(&rules);
        error.name()
    };
    assert_eq!(next(Timestamp::now()).await, ErrorName::NotReady);
    let long_ago = Timestamp::now() - BOUNDARY_SPREADS_WITHIN;
    assert_eq!(next(long_ago).await, ErrorName::AccessDenied);
}

#[tokio::test]
async fn where_the_boundary_is_gone_a_change_is_refused_and_its_undo_keeps_the_one_there_is() {
    let spec = allowing(&["s3:GetObject"]);
    let gone = "arn:aws:iam::111122223333:policy/gone";
    let anew = RoleSettings { boundary_arn: gone.into(), ..settings() };
    let refused = || {
        mock!(Client::put_role_permissions_boundary)
            .then_http_response(|| iam_error(404, "NoSuchEntity"))
    };
    let rules = [&get(), &refused(), &get()];
    let error = ensure(&client(&rules), &anew, &target(&spec, Some(&spec))).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::Rejected);
    assert!(error.to_string().contains(gone), "{error}");
    assert_all_called(&rules);

    // What stands there with the guard of before stays: our policies allow no write under that boundary.
    let there = policy(&spec);
    let ([inline, attached], own) =
        (lists(&[&there.name]), get_policy(&there.name, &there.document));
    let rules = [&get(), &refused(), &get(), &get_logging(), &inline, &attached, &own];
    let undo = Target { restores: true, ..target(&spec, Some(&spec)) };
    ensure(&client(&rules), &anew, &undo).await.unwrap();
    assert_all_called(&rules);

    // A role that is gone is not a boundary that is.
    let none = mock!(Client::get_role).then_http_response(|| iam_error(404, "NoSuchEntity"));
    let rules = [&get(), &refused(), &none];
    let error = ensure(&client(&rules), &anew, &undo).await.unwrap_err();
    assert_eq!(error.name(), ErrorName::NotReady);
    assert_all_called(&rules);
}

#[tokio::test]
async fn drift_is_told_statement_by_statement_and_the_guard_as_a_whole() {
    let spec = allowing(&["s3:GetObject", "sqs:SendMessage"]);
    let wanted = policy(&spec);
    let found = async |document: Option<Value>| {
        let inline: Vec<_> = document.iter().map(|_| wanted.name.as_str()).collect();
        let [inline, attached] = lists(&inline);
        let own = document.map(|document| get_policy(&wanted.name, &document));
        let (get, logging) = (get(), get_logging());
        let mut rules = vec![&get, &logging, &inline, &attached];
        rules.extend(&own);
        let found = compare(&client(&rules), &settings(), &spec, None).await.unwrap();
        found.into_iter().map(|it| (it.property, it.expected, it.actual)).collect::<Vec<_>>()
    };
    let statement = |action: &str| json!({"actions": [action], "resources": ["*"]});
    let place = |at: usize| format!("policyStatements/{at}");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut document = wanted.document.clone();
        change(&mut document["Statement"]);
        Some(document)
    };

    let other = changed(&|statements| statements[1]["Action"] = json!(["sqs:*"]));
    let expected = (place(1), statement("sqs:SendMessage"), statement("sqs:*"));
    assert_eq!(found(other).await, [expected]);

    let raw = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
    let more = changed(&|statements| statements.as_array_mut().unwrap().insert(2, raw.clone()));
    assert_eq!(found(more).await, [(place(2), Value::Null, raw.clone())]);

    let unguarded = changed(&|statements| {
        statements.as_array_mut().unwrap().pop();
    });
    let told = found(unguarded).await;
    assert_eq!(told.len(), 1);
    let (property, expected, actual) = &told[0];
    assert_eq!((property.as_str(), expected), ("guard", &json!(settings().guard())));
    assert_eq!(actual, &json!(settings().guard()[..3]));

    let gone = found(None).await;
    let expected = [(0, "s3:GetObject"), (1, "sqs:SendMessage")];
    let expected = expected.map(|(at, action)| (place(at), statement(action), Value::Null));
    assert_eq!(gone, expected);

    // As it was made with another guard.
    let other = RoleSettings { guarded: Vec::new(), ..settings() };
    let Policy { name: former, document } = Policy::permissions(&other, &spec).unwrap();
    let ([inline, attached], own) = (lists(&[&former]), get_policy(&former, &document));
    let rules = [&get(), &get_logging(), &inline, &attached, &own];
    let told = compare(&client(&rules), &settings(), &spec, None).await.unwrap();
    assert_eq!(told.iter().map(|it| it.property.as_str()).collect::<Vec<_>>(), ["guard"]);

    // The same under another name is a policy that somebody has added.
    let [inline, attached] = lists(&["permissions-0"]);
    let rules = [&get(), &get_logging(), &inline, &attached];
    let told = compare(&client(&rules), &settings(), &spec, None).await.unwrap();
    let properties: Vec<_> = told.iter().map(|it| it.property.as_str()).collect();
    assert_eq!(properties, ["otherInlinePolicies", "policyStatements/0", "policyStatements/1"]);
    assert_eq!(told[0].actual, json!(["permissions-0"]));

    // Where one statement stands for a list of one.
    let one = json!({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]});
    let told = found(Some(json!({"Version": "2012-10-17", "Statement": one}))).await;
    let expected = [(place(1), statement("sqs:SendMessage"), Value::Null)];
    assert_eq!(told[..1], expected);
    assert_eq!((told[1].0.as_str(), told.len()), ("guard", 2));

    // Nothing of it is lost, whatever else is different.
    let document = json!({"Version": "2008-10-17", "Statement": wanted.document["Statement"]});
    assert_eq!(found(Some(document)).await[0].0, wanted.name);
}
