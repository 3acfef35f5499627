//! Whatever is between the command and the API, and whoever answers in its place.

use super::*;

const NO_JSON: &str = "<html><body>Please sign in</body></html>";

#[tokio::test]
async fn what_the_api_or_what_is_before_it_says_is_told_with_its_remedy() {
    for (status, body, code, told) in [
        (403, json!({"message": "The security token included in the request is expired"}).to_string(), 77, "aws sso login"),
        (403, json!({"message": "Signature expired: 20261125T120000Z is now earlier than 20261125T121000Z"}).to_string(), 77, "the clock of this machine is off"),
        (403, json!({"message": "Signature not yet current: 20261125T120000Z is still later than 20261125T110000Z"}).to_string(), 77, "timedatectl"),
        (403, json!({"message": "The request signature we calculated does not match the signature you provided."}).to_string(), 77, "aws configure list"),
        (403, json!({"message": "Forbidden"}).to_string(), 77, "managed policies"),
        (404, json!({"message": "Not Found"}).to_string(), 4, "of an older release than this command"),
        (500, problem(500, "INTERNAL").to_string(), 1, "request id r-1"),
        (407, NO_JSON.to_owned(), 4, "does a proxy answer in its place?"),
        (502, NO_JSON.to_owned(), 1, "does a proxy answer in its place?"),
        (200, NO_JSON.to_owned(), 1, "does a proxy answer in its place?"),
    ] {
        let sent = body.clone();
        // Errors that may pass are tried again, and a fifth time soon is as good as much later.
        let stub = Stub::start(move |_, _| stub::raw(status, &[], sent.clone())).await;
        for command in ["plan", "get hello"] {
            let said = Project::new(&stub.url, ONE).run(command).await.with(code);
            assert!(said.err.starts_with("error: ") && said.err.contains(told), "{body}: {}", said.err);
            assert!(!said.err.contains("sign in") && said.out.is_empty(), "{said:?}");
        }
        assert!(!stub.seen().iter().any(changes));
    }
}

#[tokio::test]
async fn what_ssm_says_is_told_with_its_remedy() {
    for (status, body, code, told) in [
        (400, json!({"__type": "ExpiredTokenException", "message": "The security token included in the request is expired"}).to_string(), 77, "aws sso login"),
        (400, json!({"__type": "InvalidSignatureException", "message": "Signature expired: 20261125T120000Z is now earlier than 20261125T121000Z"}).to_string(), 77, "the clock of this machine is off"),
        (400, json!({"__type": "UnrecognizedClientException", "message": "The security token included in the request is invalid."}).to_string(), 77, "aws configure list"),
        (400, json!({"__type": "AccessDeniedException", "message": "no"}).to_string(), 77, "managed policies"),
        (400, json!({"__type": "ParameterNotFound"}).to_string(), 4, "there is no stack shop in eu-central-1"),
        (502, NO_JSON.to_owned(), 1, "does a proxy answer in its place?"),
        (200, NO_JSON.to_owned(), 1, "does a proxy answer in its place?"),
    ] {
        let stub = Stub::start(move |_, _| stub::raw(status, &[], body.clone())).await;
        let project = Project::new("", ONE).with("FORMATION_API_URL", "");
        let project = project.with("AWS_ENDPOINT_URL", &stub.url).with("FORMATION_STACK", "shop");
        let said = project.run("list").await.with(code);
        assert!(said.err.starts_with("error: ") && said.err.contains(told), "{}", said.err);
        assert!(!said.err.contains("sign in") && said.out.is_empty(), "{said:?}");
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
