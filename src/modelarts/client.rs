//! Requests to the ModelArts API of one project: signed, bounded, read-only.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;

use super::answer::{Answer, Budget};
use super::credentials::{Access, Credentials, Held};
use super::endpoint::Endpoint;
use super::error::{CloudError, date};
use super::http::{HttpClient, beginning};
use super::pool::Pool;
use super::reason::Reason;
use super::signature::{
    EMPTY_PAYLOAD_HASH, Parts, authorization, canonical_request, encode, encode_query, signature,
    signed_headers, string_to_sign,
};
use super::workspaces::WorkspacePage;

/// Bytes of the answers of one listing that are read, of all its workspaces, filters and pages, after
/// decompression.
pub(super) const MAX_LISTING: u64 = 256 * 1024 * 1024;
/// Bytes of an error's body that are read.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// Workspaces asked for in one request: the cloud's own default.
const WORKSPACES_PAGE: usize = 1000;
/// Workspaces followed at most.
const MAX_WORKSPACES: usize = 100_000;

/// Id of the workspace that every project has.
pub const DEFAULT_WORKSPACE: &str = "0";

/// The API of one project, with one set of credentials.
#[derive(Clone, Debug)]
pub struct Client {
    http: HttpClient,
    endpoint: Endpoint,
    project_id: String,
    access: Access,
    clock: fn() -> Timestamp,
    max_listing: u64,
}

impl Client {
    /// A client of `project_id` at `endpoint`.
    #[must_use]
    pub fn new(
        http: HttpClient,
        endpoint: Endpoint,
        project_id: String,
        access: impl Into<Access>,
    ) -> Self {
        Self {
            http,
            endpoint,
            project_id,
            access: access.into(),
            clock: Timestamp::now,
            max_listing: MAX_LISTING,
        }
    }

    /// The same with another clock and another limit of listings, for tests.
    #[must_use]
    pub fn with(self, clock: fn() -> Timestamp, max_listing: u64) -> Self {
        Self {
            clock,
            max_listing,
            ..self
        }
    }

    /// The ids of all workspaces of the project. Source: `GET /v1/{project_id}/workspaces`.
    ///
    /// # Errors
    /// [`CloudError`]; an answer that is no list of workspaces is [`Reason::IncompleteListing`].
    pub(super) async fn list_workspaces(
        &self,
        budget: &mut Budget,
    ) -> Result<Vec<String>, CloudError> {
        let path = format!("/v1/{}/workspaces", encode(&self.project_id));
        let mut ids = BTreeSet::new();
        let mut offset = 0;
        loop {
            let query = [
                ("limit", WORKSPACES_PAGE.to_string()),
                ("offset", offset.to_string()),
            ];
            let query = query.map(|(k, v)| (k.to_owned(), v));
            let mut answer = self.get("ListWorkspaces", &path, &query, budget).await?;
            let body = answer.bytes().await?;
            let page = WorkspacePage::parse(&body).map_err(|e| answer.incomplete(&e))?;
            let count = page.ids.len();
            offset += count;
            let before = ids.len();
            ids.extend(page.ids);
            let more = page
                .total
                .map_or(count >= WORKSPACES_PAGE, |total| ids.len() < total);
            if !more {
                break;
            }
            if ids.len() == before || offset > MAX_WORKSPACES {
                return Err(answer.incomplete(&format!(
                    "it lists {} workspaces and there are more",
                    ids.len()
                )));
            }
        }
        if ids.is_empty() {
            // A project in which nobody has created a workspace has the default one.
            ids.insert(DEFAULT_WORKSPACE.to_owned());
        }
        Ok(ids.into_iter().collect())
    }

    /// One pool. Source: `GET /v2/{project_id}/pools/{id}`.
    ///
    /// # Errors
    /// [`CloudError`]; [`Reason::PoolNotFound`] where there is no such pool.
    pub async fn show_pool(&self, id: &str) -> Result<Pool, CloudError> {
        let path = format!("/v2/{}/pools/{}", encode(&self.project_id), encode(id));
        let mut budget = self.budget();
        let mut answer = self.get("ShowPool", &path, &[], &mut budget).await?;
        let body = answer.bytes().await?;
        let pool = Pool::parse(&String::from_utf8_lossy(&body))
            .map_err(|e| answer.incomplete(&e.to_string()))?;
        if pool.id == id {
            Ok(pool)
        } else {
            Err(answer.incomplete(&format!("it is another pool: {}", pool.id)))
        }
    }

    /// One page of pools, for `query`. Source: `GET /v2/{project_id}/pools`.
    pub(super) async fn list_pools<'a>(
        &'a self,
        query: &[(String, String)],
        budget: &'a mut Budget,
    ) -> Result<Answer<'a>, CloudError> {
        self.get(
            "ListPools",
            &format!("/v2/{}/pools", encode(&self.project_id)),
            query,
            budget,
        )
        .await
    }

    /// `text` without the credentials.
    pub(super) fn clean(&self, text: &str) -> String {
        self.access.left_out_of(text)
    }

    /// What may be read for one listing.
    pub(super) const fn budget(&self) -> Budget {
        Budget::new(self.max_listing)
    }

    /// Sends a signed GET; an answer other than 200 is an error.
    async fn get<'a>(
        &'a self,
        operation: &'static str,
        path: &str,
        query: &[(String, String)],
        budget: &'a mut Budget,
    ) -> Result<Answer<'a>, CloudError> {
        self.http.check(operation, &self.endpoint)?;
        let invalid = |message: &str| {
            CloudError::new(operation, Reason::InvalidRequest, &self.clean(message))
        };
        let query = encode_query(query);
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{separator}{query}", self.endpoint);
        let url =
            reqwest::Url::parse(&url).map_err(|e| invalid(&format!("{url} is no URL: {e}")))?;
        // A segment `..` would ask for another resource.
        if url.path() != path {
            return Err(invalid(&format!("the path {path} can't be sent as it is")));
        }
        let mut held = self.access.held().await?;
        loop {
            let error = match self.send(operation, url.clone(), &held).await {
                Ok(response) => {
                    self.access.accepted();
                    return Ok(Answer::new(self, operation, response, budget));
                }
                Err(error) => error,
            };
            if error.reason() != Reason::CredentialsRejected {
                return Err(error);
            }
            // What was issued may end before its time, as where somebody changes the password.
            held = self.access.after_rejection(&held).await?.ok_or(error)?;
        }
    }

    /// Sends one GET with these credentials; an answer other than 200 is an error.
    async fn send(
        &self,
        operation: &'static str,
        url: reqwest::Url,
        held: &Held,
    ) -> Result<reqwest::Response, CloudError> {
        // The bytes that are sent, as the URL has them: what is signed must be what is sent.
        let headers = self.headers(url.path(), url.query().unwrap_or_default(), held);
        let headers = headers.map_err(|name| {
            let message = format!("the value of the header {name} can't be sent");
            CloudError::new(operation, Reason::InvalidRequest, &message)
        })?;
        let response = self.http.get(operation, url, headers).await?;
        if response.status() == reqwest::StatusCode::OK {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = beginning(response, MAX_ERROR_BODY).await;
        let now = (self.clock)();
        let clean = |text: &str| self.clean(text);
        let error = CloudError::from_answer(operation, status, &headers, &body, now, clean);
        Err(match **held {
            // A token has no time of its own.
            Credentials::Token(_) => error,
            Credentials::AccessKey { .. } => error.with_skew(date(&headers), now),
        })
    }

    /// The headers that prove who asks.
    fn headers(
        &self,
        path: &str,
        query: &str,
        credentials: &Credentials,
    ) -> Result<HeaderMap, &'static str> {
        let mut headers = HeaderMap::new();
        let mut insert = |name: &'static str, value: &str, secret: bool| {
            let mut value = HeaderValue::from_str(value).map_err(|_| name)?;
            value.set_sensitive(secret);
            headers.insert(HeaderName::from_static(name), value);
            Ok::<_, &'static str>(())
        };
        match credentials {
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

#[cfg(test)]
#[path = "client_tests/mod.rs"]
mod tests;
