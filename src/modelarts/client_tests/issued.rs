//! Credentials that are issued: got, kept, renewed, and refused.

use std::fs;
use std::path::Path;

use tokio::time::{advance, pause, resume};

use super::loopback::{Loopback, Script, head};
use super::*;
use crate::modelarts::{
    AmbientOptions, Cloud, Identity, Password, PodIdentityOptions, REJECTED_USER_PAUSE,
};
use crate::simulator::{
    self, DEFAULT_POD_TOKEN, DEFAULT_USER, Fault, Match, Metadata, Operation, Selection,
};

const HOUR: Duration = Duration::from_hours(1);
const WRONG: &str = "hunter2";

/// A simulated cloud that accepts nothing but what it has issued itself, and connections to it.
async fn issuing() -> (Simulator, Cloud) {
    let simulator = cloud(&["0/a", "0/b"]).await;
    accept(&simulator, |_| {});
    let cloud = connections(&simulator, None);
    (simulator, cloud)
}

fn accept(simulator: &Simulator, change: impl FnOnce(&mut simulator::Credentials)) {
    let mut credentials = simulator::Credentials::documented_issuers();
    change(&mut credentials);
    simulator.control().set_credentials(credentials);
}

fn connections(simulator: &Simulator, token_file: Option<&Path>) -> Cloud {
    let url = simulator.url();
    let pod_identity = token_file.map(|token_file| PodIdentityOptions {
        url: format!("{url}/v1/credentials").parse().expect("a URL"),
        token_file: token_file.to_owned(),
    });
    let ambient = AmbientOptions {
        metadata: Some(url.parse().expect("an origin")),
        pod_identity,
    };
    Cloud::new(options(), ambient).expect("connections")
}

fn user(password: &str) -> Identity {
    let [domain_name, username, _] = DEFAULT_USER.map(str::to_owned);
    Identity::Password(Password {
        username,
        password: password.into(),
        domain_name,
    })
}

fn good_user() -> Identity {
    user(DEFAULT_USER[2])
}

/// A client of one pass.
fn client_of(cloud: &Cloud, simulator: &Simulator, identity: &Identity) -> Client {
    let origin = || simulator.url().parse().expect("an origin");
    let project = DEFAULT_PROJECT_ID.to_owned();
    let client = cloud.client(origin(), Some(origin()), project, identity);
    client.expect("a client")
}

/// The listing of one pass: how many pools, or why none.
async fn pass(
    cloud: &Cloud,
    simulator: &Simulator,
    identity: &Identity,
) -> Result<usize, CloudError> {
    let client = client_of(cloud, simulator, identity);
    listed(&client, &all()).await.map(|pools| pools.len())
}

fn asked(simulator: &Simulator, operation: Operation) -> u64 {
    simulator.control().requests().of(operation)
}

/// Tokens that were asked for, and requests that were refused.
fn tokens_and_refusals(simulator: &Simulator) -> (u64, u64) {
    let requests = simulator.control().requests();
    (requests.of(Operation::CreateToken), requests.answered(401))
}

/// Lets time pass for what was issued; the clock of the cloud stays.
async fn let_pass(time: Duration) {
    pause();
    advance(time).await;
    resume();
}

#[tokio::test]
async fn a_token_is_issued_once_for_all_passes() {
    let (simulator, cloud) = issuing().await;
    for _ in 0..3 {
        assert_eq!(pass(&cloud, &simulator, &good_user()).await, Ok(2));
    }
    assert_eq!(tokens_and_refusals(&simulator), (1, 0));
    assert_eq!(simulator.control().requests().not_get, 0);

    // Passes that begin together need one, too.
    let other = connections(&simulator, None);
    let user = good_user();
    let passes = (0..8).map(|_| pass(&other, &simulator, &user));
    let all = futures::future::join_all(passes).await;
    assert!(all.iter().all(|pools| *pools == Ok(2)), "{all:?}");
    assert_eq!(tokens_and_refusals(&simulator), (2, 0));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_by_all_who_wait() {
    let (simulator, cloud) = issuing().await;
    let user = user(WRONG);
    simulator
        .control()
        .hold(Selection::of(Operation::CreateToken));
    let passes = (0..8).map(|_| pass(&cloud, &simulator, &user));
    let all = futures::future::join_all(passes);
    let (all, ()) = futures::future::join(all, async {
        simulator.control().wait_for(|r| r.held > 0).await;
        simulator.control().release();
    })
    .await;
    for refused in all {
        let error = refused.expect_err("refused");
        assert_eq!(error.reason(), Reason::CredentialsRejected);
        assert!(error.is_of_iam());
        let text = error.to_string();
        assert!(
            text.starts_with("CreateToken failed: HTTP 401: The username or password is wrong."),
            "{text}"
        );
        assert!(text.contains("15 min") && !text.contains(WRONG), "{text}");
    }
    assert_eq!(tokens_and_refusals(&simulator), (1, 1));
    assert_eq!(asked(&simulator, Operation::ListPools), 0);
}

/// A pass that was under way when another's password was rejected comes to renew its token later.
#[tokio::test]
async fn a_rejected_password_is_not_tried_again_by_whoever_comes_late() {
    let (simulator, cloud) = issuing().await;
    let wrong = user(WRONG);
    let try_it = async || {
        let error = pass(&cloud, &simulator, &wrong).await;
        let reason = error.expect_err("a wrong password").reason();
        assert_eq!(reason, Reason::CredentialsRejected);
        asked(&simulator, Operation::CreateToken)
    };
    assert_eq!(try_it().await, 1);
    assert_eq!(try_it().await, 1);
    let nearly = REJECTED_USER_PAUSE.saturating_sub(Duration::from_secs(1));
    let_pass(nearly).await;
    assert_eq!(try_it().await, 1);
    // Another password of the user is another matter.
    assert_eq!(pass(&cloud, &simulator, &good_user()).await, Ok(2));
    assert_eq!(try_it().await, 2);
    let_pass(Duration::from_secs(1)).await;
    assert_eq!(try_it().await, 3);
}

#[tokio::test]
async fn an_iam_that_fails_is_asked_once_by_all_who_wait() {
    let (simulator, cloud) = issuing().await;
    let down = Fault::status(Operation::CreateToken, 503);
    simulator.control().add_fault(down).expect("a fault");
    let user = good_user();
    let passes = (0..8).map(|_| pass(&cloud, &simulator, &user));
    let all = futures::future::join_all(passes).await;
    let of_iam = |pools: &Result<_, CloudError>| pools.as_ref().is_err_and(CloudError::is_of_iam);
    assert!(all.iter().all(of_iam), "{all:?}");
    assert_eq!(asked(&simulator, Operation::CreateToken), 1);
    // Whoever comes later asks anew.
    simulator.control().clear_faults();
    assert_eq!(pass(&cloud, &simulator, &user).await, Ok(2));
}

#[tokio::test]
async fn what_was_issued_is_bound_to_the_password_and_the_project() {
    let (simulator, cloud) = issuing().await;
    assert_eq!(pass(&cloud, &simulator, &good_user()).await, Ok(2));
    // The old password's token is good for whoever knows that password alone.
    let error = pass(&cloud, &simulator, &user(WRONG)).await;
    assert!(error.expect_err("refused").is_of_iam());
    assert_eq!(pass(&cloud, &simulator, &good_user()).await, Ok(2));
    assert_eq!(asked(&simulator, Operation::CreateToken), 2);

    let origin = || simulator.url().parse().expect("an origin");
    let other = cloud.client(origin(), Some(origin()), "other".to_owned(), &good_user());
    let error = listed(&other.expect("a client"), &all()).await;
    let error = error.expect_err("no such project");
    assert_eq!(error.reason(), Reason::InvalidRequest, "{error}");
    assert!(error.to_string().contains("projectId"), "{error}");
    assert_eq!(asked(&simulator, Operation::CreateToken), 3);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let (simulator, cloud) = issuing().await;
    let user = good_user();
    for (time, tokens) in [(Duration::ZERO, 1), (23 * HOUR, 1), (HOUR, 2)] {
        let_pass(time).await;
        assert_eq!(pass(&cloud, &simulator, &user).await, Ok(2));
        assert_eq!(tokens_and_refusals(&simulator), (tokens, 0));
    }
    // IAM is down: the token is used on while it is good, and no longer.
    let down = Fault::status(Operation::CreateToken, 503);
    simulator.control().add_fault(down).expect("a fault");
    let_pass(Duration::from_mins(24 * 60 - 10)).await;
    assert_eq!(pass(&cloud, &simulator, &user).await, Ok(2));
    assert_eq!(asked(&simulator, Operation::CreateToken), 3);
    // Not with each pass.
    assert_eq!(pass(&cloud, &simulator, &user).await, Ok(2));
    assert_eq!(asked(&simulator, Operation::CreateToken), 3);
    let_pass(Duration::from_mins(2)).await;
    assert_eq!(pass(&cloud, &simulator, &user).await, Ok(2));
    assert_eq!(asked(&simulator, Operation::CreateToken), 4);
    let_pass(Duration::from_mins(8)).await;
    let error = pass(&cloud, &simulator, &user).await.expect_err("expired");
    assert_eq!(error.reason(), Reason::CloudUnavailable, "{error}");
    assert!(
        error
            .to_string()
            .starts_with("CreateToken failed: HTTP 503"),
        "{error}"
    );
    simulator.control().clear_faults();
    assert_eq!(pass(&cloud, &simulator, &user).await, Ok(2));
}

#[tokio::test]
async fn what_ends_in_the_middle_of_a_pass_is_renewed_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    fs::write(&file, DEFAULT_POD_TOKEN).expect("a file");
    for identity in [good_user(), Identity::Agency, Identity::PodIdentity] {
        let (simulator, _) = issuing().await;
        let cloud = connections(&simulator, Some(&file));
        let control = simulator.control();
        control.set_page_size(std::num::NonZeroUsize::new(1));
        let second_page = Match {
            r#continue: Some("*".to_owned()),
            ..Match::default()
        };
        control.hold(Selection {
            matching: second_page,
            ..Selection::default()
        });
        let (pools, ()) = futures::future::join(pass(&cloud, &simulator, &identity), async {
            control.wait_for(|r| r.held > 0).await;
            control.expire_credentials();
            control.release();
        })
        .await;
        assert_eq!(pools, Ok(2), "{identity:?}");
        assert_eq!(control.requests().answered(401), 1, "{identity:?}");
        // The next pass uses what was renewed.
        assert_eq!(pass(&cloud, &simulator, &identity).await, Ok(2));
        assert_eq!(control.requests().answered(401), 1, "{identity:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_rejected_at_once_is_not_renewed() {
    let (simulator, cloud) = issuing().await;
    let user = good_user();
    let rejected = || Fault::status(Operation::ListPools, 401);
    let control = simulator.control();
    control.add_fault(rejected()).expect("a fault");
    let error = pass(&cloud, &simulator, &user).await.expect_err("refused");
    assert_eq!(error.reason(), Reason::CredentialsRejected);
    assert!(!error.is_of_iam());
    assert_eq!(tokens_and_refusals(&simulator), (1, 1));
    // It is not kept, either.
    control.clear_faults();
    assert_eq!(pass(&cloud, &simulator, &user).await, Ok(2));
    assert_eq!(tokens_and_refusals(&simulator), (2, 1));
    // One that is kept is renewed once, not again and again.
    control.add_fault(rejected()).expect("a fault");
    let error = pass(&cloud, &simulator, &user).await.expect_err("refused");
    assert_eq!(error.reason(), Reason::CredentialsRejected);
    assert_eq!(tokens_and_refusals(&simulator), (3, 3));
}

#[tokio::test]
async fn a_changed_password_ends_the_token_and_is_said() {
    let (simulator, cloud) = issuing().await;
    assert_eq!(pass(&cloud, &simulator, &good_user()).await, Ok(2));
    accept(&simulator, |c| c.users[0].password = "new".to_owned());
    let error = pass(&cloud, &simulator, &good_user()).await;
    let error = error.expect_err("refused");
    assert!(error.is_of_iam(), "{error}");
    // One refusal of the token, one of the password.
    assert_eq!(tokens_and_refusals(&simulator), (2, 2));
    assert_eq!(pass(&cloud, &simulator, &user("new")).await, Ok(2));
}

#[tokio::test]
async fn a_locked_user_is_told_by_iams_words() {
    let (simulator, cloud) = issuing().await;
    for number in 0..5 {
        let wrong = pass(&cloud, &simulator, &user(&format!("wrong{number}"))).await;
        assert!(wrong.is_err());
    }
    let error = pass(&cloud, &simulator, &good_user()).await;
    let error = error.expect_err("locked");
    assert_eq!(error.reason(), Reason::CredentialsRejected);
    assert!(error.message.contains("The account is locked."), "{error}");
}

#[tokio::test]
async fn what_iam_answers_is_told_apart() {
    let (simulator, cloud) = issuing().await;
    let code = |code: &str| Some(code.to_owned());
    for (status, code, reason) in [
        (400, None, Reason::InvalidRequest),
        (401, None, Reason::CredentialsRejected),
        (403, None, Reason::Forbidden),
        (404, code("APIGW.0101"), Reason::EndpointNotFound),
        (429, None, Reason::Throttled),
        (500, None, Reason::CloudUnavailable),
    ] {
        let fault = Fault {
            code,
            ..Fault::status(Operation::CreateToken, status)
        };
        simulator.control().clear_faults();
        simulator.control().add_fault(fault).expect("a fault");
        // A password that was rejected is not tried by these connections again.
        let cloud = connections(&simulator, None);
        let error = pass(&cloud, &simulator, &good_user()).await;
        assert_eq!(error.expect_err("an error").reason(), reason, "{status}");
    }
    // An answer that is none of IAM's is no token, and the next pass asks again.
    simulator.control().clear_faults();
    let odd = Fault {
        body: Some(serde_json::json!({"token": "hunter3"})),
        ..Fault::status(Operation::CreateToken, 201)
    };
    simulator
        .control()
        .add_fault(odd.times(1))
        .expect("a fault");
    let error = pass(&cloud, &simulator, &good_user()).await;
    let error = error.expect_err("an error");
    assert_eq!(error.reason(), Reason::CloudUnavailable, "{error}");
    assert!(!format!("{error:?}").contains("hunter3"), "{error}");
    assert_eq!(pass(&cloud, &simulator, &good_user()).await, Ok(2));
}

#[tokio::test]
async fn a_long_token_is_taken() {
    let token = format!("x-subject-token: {}\r\n", "T".repeat(60_000));
    let body = br#"{"token":{"expires_at":"2999-01-01T00:00:00Z"}}"#;
    let server = Loopback::start(Script::answer("201 Created", &token, body)).await;
    let origin = || server.url().parse().expect("an origin");
    let cloud = Cloud::new(options(), AmbientOptions::default()).expect("connections");
    let client = cloud.client(origin(), Some(origin()), "p".to_owned(), &good_user());
    // It answers to the listing as it does to all.
    let error = listed(&client.expect("a client"), &all()).await;
    assert_eq!(error.expect_err("no listing").operation, "ListPools");
    let heads = server.heads();
    assert!(heads[0].starts_with("POST /v3/auth/tokens?nocatalog=true"));
    assert!(heads[1].starts_with("GET /v2/p/pools?"));
}

/// A token that is repeated in the refusal of it, and one that comes in an answer that is none.
#[tokio::test]
async fn the_token_of_a_metadata_service_is_not_shown() {
    fn repeated(number: usize) -> Vec<u8> {
        let (status, body) = match number {
            1 => ("200 OK", "hunter2"),
            _ => ("400 Bad Request", "x-metadata-token: hunter2 is no token"),
        };
        let mut answer = head(status, "", Some(body.len()));
        answer.extend_from_slice(body.as_bytes());
        answer
    }
    let created = Script::answer("201 Created", "", b"hunter2");
    for script in [Script::Numbered(repeated), created] {
        let server = Loopback::start(script).await;
        let ambient = AmbientOptions {
            metadata: Some(server.url().parse().expect("an origin")),
            pod_identity: None,
        };
        let cloud = Cloud::new(options(), ambient).expect("connections");
        let origin = server.url().parse().expect("an origin");
        let client = cloud.client(origin, None, "p".to_owned(), &Identity::Agency);
        let error = listed(&client.expect("a client"), &all()).await;
        let error = error.expect_err("no keys");
        assert_eq!(error.operation, "GetSecurityKey");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn an_iam_that_is_not_allowed_is_not_asked() {
    let (simulator, cloud) = issuing().await;
    let url = simulator.url();
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let iam = elsewhere.parse().expect("an origin");
    let project = DEFAULT_PROJECT_ID.to_owned();
    let client = cloud.client(url.parse().expect(&url), Some(iam), project, &good_user());
    let error = listed(&client.expect("a client"), &all()).await;
    let error = error.expect_err("refused");
    assert_eq!(error.reason(), Reason::EndpointRefused, "{error}");
    assert_eq!(simulator.control().requests().counts.len(), 0);
}

#[tokio::test]
async fn keys_of_an_agency_by_either_version() {
    let (simulator, cloud) = issuing().await;
    for (metadata, of_version_two) in [(Metadata::V2, 1), (Metadata::V1, 1)] {
        accept(&simulator, |c| c.metadata = metadata);
        simulator.control().reset_requests();
        let cloud = connections(&simulator, None);
        for _ in 0..2 {
            let pools = pass(&cloud, &simulator, &Identity::Agency).await;
            assert_eq!(pools, Ok(2), "{metadata:?}");
        }
        let tokens = asked(&simulator, Operation::CreateMetadataToken);
        let keys = asked(&simulator, Operation::GetSecurityKey);
        assert_eq!((tokens, keys), (of_version_two, 1), "{metadata:?}");
    }
    for (metadata, words) in [
        (Metadata::NoAgency, "Please configure Cloud Service Agency"),
        (Metadata::Absent, "HTTP 404"),
    ] {
        accept(&simulator, |c| c.metadata = metadata);
        let cloud = connections(&simulator, None);
        let error = pass(&cloud, &simulator, &Identity::Agency).await;
        let error = error.expect_err("no keys");
        assert_eq!(error.reason(), Reason::CredentialsUnavailable, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    // A token of version 2 that is no longer good is renewed once.
    accept(&simulator, |_| {});
    simulator.control().reset_requests();
    let refused = Fault::status(Operation::GetSecurityKey, 401).times(1);
    simulator.control().add_fault(refused).expect("a fault");
    let pools = pass(
        &connections(&simulator, None),
        &simulator,
        &Identity::Agency,
    )
    .await;
    assert_eq!(pools, Ok(2));
    assert_eq!(asked(&simulator, Operation::CreateMetadataToken), 2);
    // What fails for a while is told from what is not there.
    for operation in [Operation::CreateMetadataToken, Operation::GetSecurityKey] {
        accept(&simulator, |_| {});
        simulator.control().clear_faults();
        let down = Fault::status(operation, 500);
        simulator.control().add_fault(down).expect("a fault");
        let error = pass(&cloud, &simulator, &Identity::Agency).await;
        let error = error.expect_err("no keys");
        assert_eq!(error.reason(), Reason::CloudUnavailable, "{error}");
    }
}

#[tokio::test]
async fn the_token_of_a_pod_is_read_anew_each_time() {
    let (simulator, _) = issuing().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    let cloud = connections(&simulator, Some(&file));
    let error = pass(&cloud, &simulator, &Identity::PodIdentity).await;
    let error = error.expect_err("no file");
    assert_eq!(error.reason(), Reason::CredentialsUnavailable);
    assert!(error.message.contains("No such file"), "{error}");
    for token in ["first", "second"] {
        fs::write(&file, format!("{token}\n")).expect("a file");
        accept(&simulator, |c| c.pod_tokens = vec![token.to_owned()]);
        simulator.control().expire_credentials();
        let pools = pass(&cloud, &simulator, &Identity::PodIdentity).await;
        assert_eq!(pools, Ok(2), "{token}");
    }
    fs::write(&file, "hunter2").expect("a file");
    simulator.control().expire_credentials();
    let error = pass(&cloud, &simulator, &Identity::PodIdentity).await;
    let error = error.expect_err("unknown");
    assert_eq!(error.reason(), Reason::CredentialsUnavailable);
    assert!(!format!("{error:?}").contains("hunter2"), "{error}");

    let without = connections(&simulator, None);
    let error = pass(&without, &simulator, &Identity::PodIdentity).await;
    let error = error.expect_err("no environment");
    assert_eq!(error.reason(), Reason::CredentialsUnavailable);
    assert!(error.message.contains("HC_CONTAINER_CREDENTIALS_FULL_URI"));
}

#[tokio::test]
async fn debug_shows_nothing_that_was_issued() {
    let (simulator, cloud) = issuing().await;
    for identity in [good_user(), Identity::Agency] {
        let client = client_of(&cloud, &simulator, &identity);
        assert!(listed(&client, &all()).await.is_ok());
        let shown = format!("{client:?} {cloud:?}");
        assert!(shown.contains("Issued"), "{shown}");
        assert!(!shown.contains("issued-"), "{shown}");
        assert!(!shown.contains(DEFAULT_USER[2]), "{shown}");
        let words = client.clean("a issued-token b");
        assert_eq!(words, "a issued-token b", "what was not issued stays");
    }
}
