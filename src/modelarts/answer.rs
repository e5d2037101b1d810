//! An answer with status 200, whose body is read piece by piece and never past a limit.

use std::fmt;

use reqwest::Response;

use super::client::Client;
use super::error::{CloudError, REQUEST_ID, Reason};
use super::http::unavailable;

/// Bytes that are worked on before others get their turn.
const PIECE: usize = 16 * 1024;

/// An answer whose body is not read yet.
pub(super) struct Answer<'a> {
    client: &'a Client,
    operation: &'static str,
    request_id: String,
    response: Response,
    left: u64,
}

impl<'a> Answer<'a> {
    /// `response` to `operation`; of its body at most `max` bytes are read, after decompression.
    pub(super) fn new(
        client: &'a Client,
        operation: &'static str,
        response: Response,
        max: u64,
    ) -> Self {
        let request_id = response.headers().get(REQUEST_ID);
        let request_id = request_id.and_then(|v| v.to_str().ok()).unwrap_or_default();
        Self {
            client,
            operation,
            request_id: request_id.to_owned(),
            response,
            left: max,
        }
    }

    /// Gives the body to `take`, in the pieces in which it comes. What `take` refuses makes the
    /// listing incomplete.
    ///
    /// Nothing goes on where this is dropped, and no piece keeps others waiting for long: it runs in
    /// the same task as the loop that mends mirrors.
    pub(super) async fn read<E: fmt::Display>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), CloudError> {
        loop {
            let chunk = match self.response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.of(unavailable(self.operation, &error))),
            };
            self.left = self
                .left
                .checked_sub(chunk.len() as u64)
                .ok_or_else(|| self.too_large())?;
            for piece in chunk.chunks(PIECE) {
                take(piece).map_err(|e| self.incomplete(&e.to_string()))?;
                tokio::task::yield_now().await;
            }
        }
    }

    /// The whole body.
    pub(super) async fn bytes(&mut self) -> Result<Vec<u8>, CloudError> {
        let mut body = Vec::new();
        self.read(|piece| {
            body.extend_from_slice(piece);
            Ok::<_, std::convert::Infallible>(())
        })
        .await?;
        Ok(body)
    }

    /// The answer is not what a complete listing needs.
    pub(super) fn incomplete(&self, message: &str) -> CloudError {
        self.of(CloudError::new(
            self.operation,
            Reason::IncompleteListing,
            &self.client.clean(message),
        ))
    }

    fn too_large(&self) -> CloudError {
        self.of(CloudError::new(
            self.operation,
            Reason::ListingTooLarge,
            &format!(
                "the answer has more than {} bytes",
                self.client.max_answer()
            ),
        ))
    }

    /// `error` with the name of the request.
    fn of(&self, error: CloudError) -> CloudError {
        error.of_answer(200, &self.client.clean(&self.request_id))
    }
}
