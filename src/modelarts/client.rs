//! Requests to the ModelArts API of one project: signed, bounded, read-only.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::credentials::Credentials;
use super::endpoint::Endpoint;
use super::error::{CloudError, Reason};
use super::http::{HttpClient, unavailable};
use super::pool::Pool;
use super::signature::{
    EMPTY_PAYLOAD_HASH, Parts, authorization, canonical_request, encode, encode_query, signature,
    signed_headers, string_to_sign,
};

/// Bytes of one answer that are read, after decompression.
pub(super) const MAX_ANSWER: u64 = 256 * 1024 * 1024;
/// Bytes of an error's body that are read.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// Workspaces asked for in one request: the cloud's own default.
const WORKSPACES_PAGE: usize = 1000;
/// Workspaces followed at most.
const MAX_WORKSPACES: usize = 100_000;

/// The API of one project, with one set of credentials.
#[derive(Clone, Debug)]
pub struct Client {
    http: HttpClient,
    endpoint: Endpoint,
    project_id: String,
    credentials: Arc<Credentials>,
    clock: fn() -> Timestamp,
    max_answer: u64,
}

impl Client {
    /// A client of `project_id` at `endpoint`.
    #[must_use]
    pub fn new(
        http: HttpClient,
        endpoint: Endpoint,
        project_id: String,
        credentials: Arc<Credentials>,
    ) -> Self {
        Self {
            http,
            endpoint,
            project_id,
            credentials,
            clock: Timestamp::now,
            max_answer: MAX_ANSWER,
        }
    }

    /// The same with another clock and another limit of answers, for tests.
    #[must_use]
    pub fn with(self, clock: fn() -> Timestamp, max_answer: u64) -> Self {
        Self {
            clock,
            max_answer,
            ..self
        }
    }

    /// The ids of all workspaces of the project. Source: `GET /v1/{project_id}/workspaces`.
    ///
    /// # Errors
    /// [`CloudError`]; an answer that is no list of workspaces is [`Reason::IncompleteListing`].
    pub async fn list_workspaces(&self) -> Result<Vec<String>, CloudError> {
        const OPERATION: &str = "ListWorkspaces";
        #[derive(Deserialize)]
        struct Answer {
            total_count: Option<usize>,
            workspaces: Vec<Workspace>,
        }
        #[derive(Deserialize)]
        struct Workspace {
            id: String,
        }
        let incomplete =
            |message: String| CloudError::new(OPERATION, Reason::IncompleteListing, message);
        let path = format!("/v1/{}/workspaces", encode(&self.project_id));
        let mut ids = BTreeSet::new();
        let mut offset = 0;
        loop {
            let query = [
                ("limit", WORKSPACES_PAGE.to_string()),
                ("offset", offset.to_string()),
            ];
            let response = self
                .get(OPERATION, &path, &query.map(|(k, v)| (k.to_owned(), v)))
                .await?;
            let answer: Answer = self
                .read(OPERATION, response, |body| serde_json::from_reader(body))
                .await?
                .map_err(|e| incomplete(format!("its body is no list of workspaces: {e}")))?;
            let count = answer.workspaces.len();
            offset += count;
            ids.extend(answer.workspaces.into_iter().map(|w| w.id));
            let total = answer.total_count.unwrap_or(offset);
            if offset >= total {
                break;
            }
            if count == 0 || offset > MAX_WORKSPACES {
                return Err(incomplete(format!(
                    "it lists {offset} workspaces and says that there are {total}"
                )));
            }
        }
        Ok(ids.into_iter().collect())
    }

    /// One pool. Source: `GET /v2/{project_id}/pools/{id}`.
    ///
    /// # Errors
    /// [`CloudError`]; [`Reason::PoolNotFound`] where there is no such pool.
    pub async fn show_pool(&self, id: &str) -> Result<Pool, CloudError> {
        const OPERATION: &str = "ShowPool";
        let path = format!("/v2/{}/pools/{}", encode(&self.project_id), encode(id));
        let response = self.get(OPERATION, &path, &[]).await?;
        let incomplete =
            |message: String| CloudError::new(OPERATION, Reason::IncompleteListing, message);
        let text = self
            .read(OPERATION, response, |body| std::io::read_to_string(body))
            .await?;
        let text = text.map_err(|e| incomplete(format!("its body can't be read: {e}")))?;
        let pool = Pool::parse(&text).map_err(|e| incomplete(e.to_string()))?;
        if pool.id == id {
            Ok(pool)
        } else {
            Err(incomplete(format!("it is another pool: {}", pool.id)))
        }
    }

    /// One page of pools, for `query`. Source: `GET /v2/{project_id}/pools`.
    pub(super) async fn list_pools(
        &self,
        query: &[(String, String)],
    ) -> Result<Response, CloudError> {
        self.get(
            "ListPools",
            &format!("/v2/{}/pools", encode(&self.project_id)),
            query,
        )
        .await
    }

    /// Reads the body of an answer with `parse`, on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        response: Response,
        parse: impl FnOnce(&mut dyn Read) -> T + Send + 'static,
    ) -> Result<T, CloudError> {
        let mut failure: Option<CloudError> = None;
        let max = self.max_answer;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut left = max;
        let mut sender = Some(sender);
        let stream = response.bytes_stream().map(move |chunk| {
            let error = match chunk {
                Ok(chunk) => match left.checked_sub(chunk.len() as u64) {
                    Some(rest) => {
                        left = rest;
                        return Ok(chunk);
                    }
                    None => CloudError::new(
                        operation,
                        Reason::ListingTooLarge,
                        format!("the answer has more than {} MiB", max / (1024 * 1024)),
                    ),
                },
                Err(error) => unavailable(operation, &error),
            };
            let text = error.to_string();
            if let Some(sender) = sender.take() {
                let _ = sender.send(error);
            }
            Err(std::io::Error::other(text))
        });
        // When this future is dropped the task goes on to the end of the answer, which the read
        // timeout and the size bound.
        let mut body = SyncIoBridge::new(StreamReader::new(Box::pin(stream.into_stream())));
        let parsed = tokio::task::spawn_blocking(move || parse(&mut body)).await;
        if let Ok(error) = receiver.await {
            failure = Some(error);
        }
        match (failure, parsed) {
            (Some(failure), _) => Err(failure),
            (None, Ok(parsed)) => Ok(parsed),
            (None, Err(error)) => Err(CloudError::new(
                operation,
                Reason::IncompleteListing,
                format!("reading the answer failed: {error}"),
            )),
        }
    }

    /// Sends a signed GET; an answer other than 200 is an error.
    async fn get(
        &self,
        operation: &'static str,
        path: &str,
        query: &[(String, String)],
    ) -> Result<Response, CloudError> {
        self.http.check(operation, &self.endpoint)?;
        let query = encode_query(query);
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{separator}{query}", self.endpoint);
        let url = reqwest::Url::parse(&url).map_err(|e| {
            CloudError::new(
                operation,
                Reason::InvalidRequest,
                format!("{url} is no URL: {e}"),
            )
        })?;
        // The bytes that are sent, as the URL has them: what is signed must be what is sent.
        let headers = self
            .headers(url.path(), url.query().unwrap_or_default())
            .map_err(|name| {
                CloudError::new(
                    operation,
                    Reason::InvalidRequest,
                    format!("the value of the header {name} can't be sent"),
                )
            })?;
        let response = self.http.get(operation, url, headers).await?;
        if response.status() == reqwest::StatusCode::OK {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = beginning(response).await;
        Err(CloudError::from_answer(
            operation,
            status,
            &headers,
            &body,
            (self.clock)(),
        ))
    }

    /// The headers that prove who asks.
    fn headers(&self, path: &str, query: &str) -> Result<HeaderMap, &'static str> {
        let mut headers = HeaderMap::new();
        let mut insert = |name: &'static str, value: &str, secret: bool| {
            let mut value = HeaderValue::from_str(value).map_err(|_| name)?;
            value.set_sensitive(secret);
            headers.insert(HeaderName::from_static(name), value);
            Ok::<_, &'static str>(())
        };
        match &*self.credentials {
            Credentials::Token(token) => insert("x-auth-token", token.expose_secret(), true)?,
            Credentials::AccessKey {
                access_key,
                secret_key,
                security_token,
            } => {
                let date = (self.clock)()
                    .to_zoned(TimeZone::UTC)
                    .strftime("%Y%m%dT%H%M%SZ")
                    .to_string();
                let mut signed = vec![
                    ("host".to_owned(), self.endpoint.host_header()),
                    ("x-project-id".to_owned(), self.project_id.clone()),
                    ("x-sdk-date".to_owned(), date.clone()),
                ];
                insert("x-project-id", &self.project_id, false)?;
                insert("x-sdk-date", &date, false)?;
                if let Some(token) = security_token {
                    insert("x-security-token", token.expose_secret(), true)?;
                    signed.push((
                        "x-security-token".to_owned(),
                        token.expose_secret().to_owned(),
                    ));
                }
                let parts = Parts {
                    method: "GET",
                    path,
                    query,
                    headers: &signed,
                    payload_hash: EMPTY_PAYLOAD_HASH,
                };
                let to_sign = string_to_sign(&date, &canonical_request(&parts));
                let signature = signature(secret_key.expose_secret(), &to_sign);
                insert(
                    "authorization",
                    &authorization(access_key, &signed_headers(&signed), &signature),
                    true,
                )?;
            }
        }
        Ok(headers)
    }
}

/// The beginning of the body of an error; what can't be read of it is not worth another error.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= MAX_ERROR_BODY {
            body.truncate(MAX_ERROR_BODY);
            break;
        }
    }
    body
}
