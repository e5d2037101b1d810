//! The cloud as the program knows it: how it is reached, and what it has issued.

use std::sync::Arc;

use super::client::Client;
use super::credentials::{Access, AmbientOptions, CREATE_TOKEN, Identity, IssuedCredentials};
use super::endpoint::Endpoint;
use super::error::CloudError;
use super::http::{HttpClient, HttpOptions};
use super::reason::Reason;

/// What all sources share: connections, and the credentials that were issued to this process. Clones are the
/// same.
#[derive(Clone, Debug)]
pub struct Cloud {
    http: HttpClient,
    issued: Arc<IssuedCredentials>,
}

impl Cloud {
    /// Sets up connections.
    ///
    /// # Errors
    /// As of [`HttpClient::new`].
    pub fn new(http: HttpOptions, ambient: AmbientOptions) -> Result<Self, String> {
        Ok(Self {
            issued: Arc::new(IssuedCredentials::new(&http, ambient)?),
            http: HttpClient::new(http)?,
        })
    }

    /// A client of one project for one pass. IAM is at `iam`; only a password needs it.
    ///
    /// # Errors
    /// [`CloudError`] where a password is to be used and `iam` is nothing.
    pub fn client(
        &self,
        endpoint: Endpoint,
        iam: Option<Endpoint>,
        project_id: String,
        identity: &Identity,
    ) -> Result<Client, CloudError> {
        let access = Access::new(identity, iam, &project_id, self.issued.clone())
            .map_err(|problem| CloudError::new(CREATE_TOKEN, Reason::InvalidRequest, problem))?;
        Ok(Client::new(self.http.clone(), endpoint, project_id, access))
    }
}
