//! An answer with status 200, whose body is read piece by piece and never past a limit.

use reqwest::Response;

use super::client::Client;
use super::error::{CloudError, REQUEST_ID};
use super::http::unavailable;
use super::reason::Reason;
use super::said::{MAX_WORD, readable};

/// Bytes that are worked on before others get their turn.
const PIECE: usize = 16 * 1024;

/// Bytes of an answer that are held at once, at most: of one pool, or of all that stands beside the
/// pools. What a cloud sends is far below it, and 8 sources at once must fit in the memory of a pod.
pub(super) const MAX_HELD: usize = 16 * 1024 * 1024;

/// Why what an answer says can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no part of a complete listing.
    Incomplete(String),
    /// It is larger than is read.
    TooLarge(String),
}

/// Bytes that may be read of all answers of one listing, after decompression.
#[derive(Debug)]
pub(super) struct Budget {
    max: u64,
    left: u64,
}

impl Budget {
    pub(super) const fn new(max: u64) -> Self {
        Self { max, left: max }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.left = self.left.checked_sub(bytes as u64).ok_or_else(|| {
            let max = self.max;
            Unfit::TooLarge(format!("the answers have more than {max} bytes in all"))
        })?;
        Ok(())
    }
}

/// An answer whose body is not read yet.
pub(super) struct Answer<'a> {
    client: &'a Client,
    operation: &'static str,
    request_id: String,
    response: Response,
    budget: &'a mut Budget,
}

impl<'a> Answer<'a> {
    /// `response` to `operation`; of its body no more is read than `budget` allows.
    pub(super) fn new(
        client: &'a Client,
        operation: &'static str,
        response: Response,
        budget: &'a mut Budget,
    ) -> Self {
        let request_id = response.headers().get(REQUEST_ID);
        let request_id = request_id.and_then(|v| v.to_str().ok()).unwrap_or_default();
        Self {
            client,
            operation,
            request_id: request_id.to_owned(),
            response,
            budget,
        }
    }

    /// Gives the body to `take`, in the pieces in which it comes, until `take` refuses one.
    ///
    /// Nothing goes on where this is dropped, and no piece keeps others waiting for long: it runs in
    /// the same task as the loop that mends mirrors.
    pub(super) async fn read(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), Unfit>,
    ) -> Result<(), CloudError> {
        loop {
            let chunk = match self.response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.of(unavailable(self.operation, &error))),
            };
            let allowed = self.budget.spend(chunk.len());
            allowed.map_err(|e| self.unfit(&e))?;
            for piece in chunk.chunks(PIECE) {
                take(piece).map_err(|e| self.unfit(&e))?;
                tokio::task::yield_now().await;
            }
        }
    }

    /// The whole body, of an answer that is not taken apart as it comes.
    pub(super) async fn bytes(&mut self) -> Result<Vec<u8>, CloudError> {
        let mut body = Vec::new();
        self.read(|piece| {
            if body.len() + piece.len() > MAX_HELD {
                return Err(Unfit::TooLarge(format!(
                    "the answer has more than {MAX_HELD} bytes"
                )));
            }
            body.extend_from_slice(piece);
            Ok(())
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

    /// What the cloud calls the request, as it may be shown.
    pub(super) fn request_id(&self) -> String {
        readable(&self.client.clean(&self.request_id), MAX_WORD)
    }

    fn unfit(&self, unfit: &Unfit) -> CloudError {
        match unfit {
            Unfit::Incomplete(message) => self.incomplete(message),
            Unfit::TooLarge(message) => self.of(CloudError::new(
                self.operation,
                Reason::ListingTooLarge,
                message,
            )),
        }
    }

    /// `error` with the name of the request.
    fn of(&self, error: CloudError) -> CloudError {
        error.of_answer(200, &self.request_id())
    }
}
