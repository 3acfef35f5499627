//! Whatever is between the command and the API, and whoever answers in its place.

use super::*;

const NO_JSON: &str = "<html><body>Please sign in</body></html>";

const EXPIRED: &str = "The security token included in the request is expired";
const INVALID: &str = "The security token included in the request is invalid.";
const UNLIKE: &str =
    "The request signature we calculated does not match the signature you provided.";
const LATE: &str = "Signature expired: 20261125T120000Z is now earlier than 20261125T121000Z";
const EARLY: &str =
    "Signature not yet current: 20261125T120000Z is still later than 20261125T110000Z";

#[tokio::test]
async fn what_the_api_or_what_is_before_it_says_is_told_with_its_remedy() {
    let gateway = |message: &str| json!({"message": message}).to_string();
    let older = "of an older release than this command";
    let proxy = "does a proxy answer in its place?";
    for (status, body, code, told) in [
        (403, gateway(EXPIRED), 77, "aws sso login"),
        (403, gateway(LATE), 77, "the clock of this machine is off"),
        (403, gateway(EARLY), 77, "timedatectl"),
        (403, gateway(UNLIKE), 77, "aws configure list"),
        (403, gateway("Forbidden"), 77, "managed policies"),
        (404, gateway("Not Found"), 4, older),
        (404, problem(404, "ROUTE_NOT_FOUND").to_string(), 4, older),
        (500, problem(500, "INTERNAL").to_string(), 1, "request id r-1"),
        (407, NO_JSON.to_owned(), 4, proxy),
        (502, NO_JSON.to_owned(), 1, proxy),
        (200, NO_JSON.to_owned(), 1, proxy),
    ] {
        let sent = body.clone();
        let stub = Stub::start(move |_, _| stub::raw(status, &[], sent.clone())).await;
        for command in ["plan", "get hello"] {
            let said = Project::new(&stub.url, ONE).run(command).await.with(code);
            assert!(said.err.starts_with("error: ") && said.err.contains(told), "{said:#?}");
            assert!(!said.err.contains("sign in") && said.out.is_empty(), "{said:#?}");
        }
        assert!(!stub.seen().iter().any(changes));
    }
}

#[tokio::test]
async fn what_ssm_says_is_told_with_its_remedy() {
    let refused =
        |kind: &str, message: &str| (400, json!({"__type": kind, "message": message}).to_string());
    let proxy = "does a proxy answer in its place?";
    for ((status, body), code, told) in [
        (refused("ExpiredTokenException", EXPIRED), 77, "aws sso login"),
        (refused("InvalidSignatureException", LATE), 77, "the clock of this machine is off"),
        (refused("InvalidSignatureException", UNLIKE), 77, "aws configure list"),
        (refused("UnrecognizedClientException", INVALID), 77, "aws configure list"),
        (refused("IncompleteSignature", "no"), 77, "aws configure list"),
        (refused("AccessDeniedException", "no"), 77, "managed policies"),
        (refused("ParameterNotFound", ""), 4, "there is no stack shop in eu-central-1"),
        ((502, NO_JSON.to_owned()), 1, proxy),
        ((200, NO_JSON.to_owned()), 1, proxy),
    ] {
        let stub = Stub::start(move |_, _| stub::raw(status, &[], body.clone())).await;
        let project = Project::new("", ONE).with("FORMATION_API_URL", "");
        let project = project.with("AWS_ENDPOINT_URL", &stub.url).with("FORMATION_STACK", "shop");
        let said = project.run("list").await.with(code);
        assert!(said.err.starts_with("error: ") && said.err.contains(told), "{said:#?}");
        assert!(!said.err.contains("sign in") && said.out.is_empty(), "{said:#?}");
    }
}

#[tokio::test]
async fn without_a_network_it_says_what_to_look_at() {
    // A port that nobody listens at, and a name that no resolver takes.
    let nobody = format!("http://{}.invalid", "a".repeat(64));
    for url in ["http://127.0.0.1:1", &nobody] {
        let project = Project::new(url, ONE);
        let of_api = project.run("get hello").await.with(1);
        assert!(of_api.err.contains("the API cannot be reached: "), "{of_api:?}");
        assert!(of_api.err.contains("is there a network"), "{of_api:?}");
        let project = project.with("FORMATION_API_URL", "").with("AWS_ENDPOINT_URL", url);
        let of_ssm = project.run("get hello").await.with(1);
        assert!(of_ssm.err.contains("AWS has not told where the API is"), "{of_ssm:?}");
        assert!(of_ssm.err.contains("is there a network"), "{of_ssm:?}");
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_had_are_told_with_the_profile_that_is_used() {
    let stub = Stub::start(|_, seen| panic!("{seen:?}")).await;
    let project = Project::new(&stub.url, ONE);
    let config = project.path("config");
    project.write(
        "config",
        "[sso-session corp]\nsso_start_url = https://example.awsapps.com/start\n\
         sso_region = eu-central-1\n[profile dev]\nsso_session = corp\nregion = eu-central-1\n\
         sso_account_id = 111122223333\nsso_role_name = Dev\n[profile broken]\n\
         region = eu-central-1\ncredential_process = sh -c 'exit 3'\n[profile console]\n\
         region = eu-central-1\nlogin_session = arn:aws:iam::111122223333:user/ann\n[profile nowhere]\n",
    );
    let mut project = project.with("AWS_CONFIG_FILE", config.to_str().unwrap());
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        project = project.with(variable, "");
    }
    for (profile, code, told) in [
        ("dev", 77, "`aws sso login --profile dev` renews"),
        ("broken", 77, "exit status: 3"),
        ("console", 77, "`aws login --profile console` those"),
        ("nowhere", 64, "the profile nowhere has no Region, or does not exist"),
        ("mistyped", 64, "the profile mistyped has no Region, or does not exist"),
    ] {
        for command in ["list", "plan"] {
            let said = project.run(&format!("{command} --profile {profile}")).await.with(code);
            assert!(said.err.contains(told), "{said:#?}");
            // Each kind of credentials is built in.
            assert!(!said.err.contains("feature"), "{said:#?}");
        }
    }
}
