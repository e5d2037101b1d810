//! Asks those who issue credentials. The only place of the program that sends something other than a GET: three
//! types, each of which can send its one request and no other, none of which knows the API of `ModelArts`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode, Url};

use super::agency::{self, GET_SECURITY_KEY, TokenAnswer};
use super::iam::{self, CREATE_TOKEN};
use super::lifetime::{Grant, Issued};
use super::pod_identity::{self, ASSUME_AGENCY};
use super::{Issuer, Password};
use crate::modelarts::endpoint::{AllowedEndpoints, Endpoint};
use crate::modelarts::error::{CloudError, date};
use crate::modelarts::http::{HttpOptions, Observer, beginning, check, client_builder, send};
use crate::modelarts::reason::Reason;

/// How long IAM may take to answer.
const IAM_TIMEOUT: Duration = Duration::from_secs(30);
/// How long who is on the same machine may take.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of the file with a pod's token that are read.
const MAX_TOKEN_FILE: u64 = 64 * 1024;
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 1024 * 1024;
/// Bytes of the headers of an answer by HTTP/2: a token of IAM can have more than the usual 16 KiB.
const MAX_HEADERS: u32 = 128 * 1024;
/// Where each ECS finds its metadata service.
const METADATA_SERVICE: &str = "http://169.254.169.254";

/// Where a process finds who it is, without a Secret.
#[derive(Clone, Debug, Default)]
pub struct AmbientOptions {
    /// The metadata service, where it is not at the address that every ECS has.
    pub metadata: Option<Endpoint>,
    /// The pod identity agent; nothing where this is no pod of CCE with such an identity.
    pub pod_identity: Option<PodIdentityOptions>,
}

/// Where a pod finds who it is, as CCE tells it by environment variables.
#[derive(Clone, Debug)]
pub struct PodIdentityOptions {
    /// `HC_CONTAINER_CREDENTIALS_FULL_URI`: what to ask.
    pub url: Url,
    /// `HC_CONTAINER_AUTHORIZATION_TOKEN_FILE`: the file with the pod's token, which is renewed there.
    pub token_file: PathBuf,
}

impl AmbientOptions {
    /// What the environment variables of CCE say; nothing where one of the two is missing.
    ///
    /// # Errors
    /// Where the one that holds a URL holds none.
    pub fn pod_identity_of_environment() -> Result<Option<PodIdentityOptions>, String> {
        const URL: &str = "HC_CONTAINER_CREDENTIALS_FULL_URI";
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let (Some(url), Some(file)) = (set(URL), set("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
        else {
            return Ok(None);
        };
        // Not repeated: it may hold a password.
        let url = url.to_str().and_then(|url| Url::parse(url).ok());
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| format!("{URL} holds no http or https URL"))?;
        Ok(Some(PodIdentityOptions {
            url,
            token_file: file.into(),
        }))
    }
}

/// All who issue credentials.
#[derive(Debug)]
pub(super) struct Issuers {
    iam: TokenRequests,
    metadata: MetadataService,
    agent: PodIdentityAgent,
}

impl Issuers {
    /// # Errors
    /// As of [`crate::modelarts::HttpClient::new`].
    pub(super) fn new(http: &HttpOptions, ambient: AmbientOptions) -> Result<Self, String> {
        let built = |builder: reqwest::ClientBuilder| {
            let client = builder.build();
            client.map_err(|e| format!("failed to set up the HTTP client: {e}"))
        };
        let remote = client_builder(http)?.timeout(IAM_TIMEOUT);
        let remote = built(remote.http2_max_header_list_size(MAX_HEADERS))?;
        // Whoever is on this machine is never asked through a proxy: that would get the keys, too.
        let local = client_builder(http)?.no_proxy().timeout(LOCAL_TIMEOUT);
        let local = built(local.connect_timeout(LOCAL_TIMEOUT))?;
        let everywhere = || METADATA_SERVICE.parse().map_err(|e| format!("{e}"));
        Ok(Self {
            iam: TokenRequests {
                client: remote,
                allowed: http.allowed.clone(),
                observer: Shown(http.observer.clone()),
            },
            metadata: MetadataService {
                client: local.clone(),
                endpoint: ambient.metadata.map_or_else(everywhere, Ok)?,
                observer: Shown(http.observer.clone()),
            },
            agent: PodIdentityAgent {
                client: local,
                options: ambient.pod_identity,
                observer: Shown(http.observer.clone()),
            },
        })
    }

    /// Asks `issuer` for credentials.
    pub(super) async fn ask(&self, issuer: &Issuer) -> Result<Issued, CloudError> {
        match issuer {
            Issuer::Iam {
                user,
                endpoint,
                project,
            } => self.iam.token(user, endpoint, project).await,
            Issuer::Agency => self.metadata.keys().await,
            Issuer::PodIdentity => self.agent.keys().await,
        }
    }
}

/// Requests for tokens of IAM, `POST /v3/auth/tokens`. A token is made; nothing of the cloud is changed.
#[derive(Debug)]
struct TokenRequests {
    client: reqwest::Client,
    allowed: AllowedEndpoints,
    observer: Shown,
}

impl TokenRequests {
    async fn token(
        &self,
        user: &Password,
        endpoint: &Endpoint,
        project: &str,
    ) -> Result<Issued, CloudError> {
        check(&self.allowed, CREATE_TOKEN, endpoint)?;
        let url = format!("{endpoint}{}", iam::PATH);
        let body = iam::body(user, project).to_string();
        let request = self.client.post(url).body(body);
        let request = request.header("content-type", "application/json");
        let answer = Answer::to(CREATE_TOKEN, &self.observer, request).await?;
        if answer.status != StatusCode::CREATED {
            return Err(answer.error(|text| user.left_out_of(text)));
        }
        let token = answer.headers.get(iam::TOKEN_HEADER);
        let token = token.and_then(|token| token.to_str().ok());
        let grant = iam::grant(token, &answer.body, project);
        answer.issued(grant, iam::MARGIN)
    }
}

/// The metadata service of the ECS that this process runs on.
#[derive(Debug)]
struct MetadataService {
    client: reqwest::Client,
    endpoint: Endpoint,
    observer: Shown,
}

impl MetadataService {
    async fn keys(&self) -> Result<Issued, CloudError> {
        let mut token = self.token().await?;
        let mut answer = self.keys_for(token.as_ref()).await?;
        if token.is_some() && agency::wants_another_token(answer.status, &answer.body) {
            token = self.token().await?;
            answer = self.keys_for(token.as_ref()).await?;
        }
        if answer.status != StatusCode::OK {
            let token = token.as_ref().and_then(|token| token.to_str().ok());
            return Err(answer.error(|text| super::without(text, token)));
        }
        let grant = agency::grant(&answer.body);
        answer.issued(grant, agency::MARGIN)
    }

    /// A token of version 2; nothing where the service knows version 1 alone.
    async fn token(&self) -> Result<Option<HeaderValue>, CloudError> {
        let url = format!("{}{}", self.endpoint, agency::TOKEN_PATH);
        let (ttl, seconds) = agency::TTL;
        let request = self.client.put(url).header(ttl, seconds);
        let answer = Answer::to(GET_SECURITY_KEY, &self.observer, request).await?;
        match agency::token_answer(answer.status) {
            TokenAnswer::VersionOne => Ok(None),
            // What it says may be a token.
            TokenAnswer::Failed if answer.status.is_success() => {
                let status = answer.status.as_u16();
                Err(answer.unusable(&format!("the answer has status {status} in place of 200")))
            }
            TokenAnswer::Failed => Err(answer.error(str::to_owned)),
            TokenAnswer::Token => {
                let token = HeaderValue::from_bytes(answer.body.trim_ascii()).ok();
                let mut token = token
                    .filter(|token| !token.is_empty())
                    .ok_or_else(|| answer.unusable("the answer holds no token"))?;
                token.set_sensitive(true);
                Ok(Some(token))
            }
        }
    }

    async fn keys_for(&self, token: Option<&HeaderValue>) -> Result<Answer, CloudError> {
        let url = format!("{}{}", self.endpoint, agency::KEY_PATH);
        let mut request = self.client.get(url);
        if let Some(token) = token {
            request = request.header(agency::TOKEN_HEADER, token);
        }
        Answer::to(GET_SECURITY_KEY, &self.observer, request).await
    }
}

/// The pod identity agent of the node that this pod runs on.
#[derive(Debug)]
struct PodIdentityAgent {
    client: reqwest::Client,
    options: Option<PodIdentityOptions>,
    observer: Shown,
}

impl PodIdentityAgent {
    async fn keys(&self) -> Result<Issued, CloudError> {
        let unavailable =
            |text: &str| CloudError::new(ASSUME_AGENCY, Reason::CredentialsUnavailable, text);
        let options = self.options.as_ref().ok_or_else(|| {
            unavailable("HC_CONTAINER_CREDENTIALS_FULL_URI and HC_CONTAINER_AUTHORIZATION_TOKEN_FILE are not set")
        })?;
        // Each time: the kubelet renews it in its place.
        let file = options.token_file.display();
        let bytes = beginning_of_file(&options.token_file)
            .map_err(|e| unavailable(&format!("failed to read the token in {file}: {e}")))?;
        let token = pod_identity::token(&bytes)
            .map_err(|problem| unavailable(&format!("{file}: {problem}")))?;
        let mut header = HeaderValue::from_str(token)
            .map_err(|_| unavailable(&format!("{file}: it holds no token")))?;
        header.set_sensitive(true);
        let request = self.client.post(options.url.clone()).body("{}");
        let request = request
            .header("authorization", header)
            .header("content-type", "application/json");
        let answer = Answer::to(ASSUME_AGENCY, &self.observer, request).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.error(|text| super::without(text, [token])));
        }
        let grant = pod_identity::grant(&answer.body);
        answer.issued(grant, pod_identity::MARGIN)
    }
}

fn beginning_of_file(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(file)?;
    file.take(MAX_TOKEN_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An answer, and when it came.
struct Answer {
    operation: &'static str,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    at: Instant,
    wall: Timestamp,
}

impl Answer {
    async fn to(
        operation: &'static str,
        observer: &Shown,
        request: RequestBuilder,
    ) -> Result<Self, CloudError> {
        let response: Response = send(operation, &observer.0, request).await?;
        // Before the body is read: what is issued lasts from here on, if not less.
        let at = tokio::time::Instant::now().into_std();
        Ok(Self {
            operation,
            status: response.status(),
            headers: response.headers().clone(),
            body: beginning(response, MAX_ANSWER).await,
            at,
            wall: Timestamp::now(),
        })
    }

    fn error(&self, clean: impl Fn(&str) -> String) -> CloudError {
        let (status, headers) = (self.status, &self.headers);
        CloudError::from_answer(
            self.operation,
            status,
            headers,
            &self.body,
            self.wall,
            clean,
        )
    }

    fn unusable(&self, problem: &str) -> CloudError {
        CloudError::new(self.operation, Reason::CloudUnavailable, problem)
            .of_answer(self.status.as_u16(), "")
    }

    fn issued(&self, grant: Result<Grant, String>, margin: Duration) -> Result<Issued, CloudError> {
        // The header has whole seconds: it may be almost one later.
        let date = date(&self.headers)
            .and_then(|date| date.checked_add(SignedDuration::from_secs(1)).ok());
        let issuer_time = date.unwrap_or(self.wall);
        grant
            .and_then(|grant| Issued::new(grant, issuer_time, self.at, margin))
            .map_err(|problem| self.unusable(&problem))
    }
}

/// An observer that has a Debug output.
struct Shown(Observer);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}
