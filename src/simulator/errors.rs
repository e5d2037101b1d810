//! The errors that the documents of gateway and `ModelArts` name, with their status and words.
//!
//! Words in a document's own language are there where a document or a capture quotes them; the others say what the
//! document explains. A code alone does not tell what is wrong: some mean other things with other statuses.

/// An error that the cloud is documented to answer to a request that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentedError {
    /// The HTTP status.
    pub status: u16,
    /// The code, with the part of the cloud that it comes from before the dot.
    pub code: &'static str,
    /// The words for people.
    pub message: &'static str,
}

pub(super) const NO_API: &str =
    "The API does not exist or has not been published in the environment";
const THROTTLED: &str =
    "The throttling threshold has been reached: policy user over ratelimit,limit:200,time:1 minute";
const WRONG_KEY: &str = "Incorrect IAM authentication information: decrypt token fail";

/// All of them. Of those with the same status, the first is the usual one.
#[rustfmt::skip]
pub const DOCUMENTED_ERRORS: &[DocumentedError] = &[
    of(400, "ModelArts.50004000", "Bad request."),
    of(400, "ModelArts.0102", "The workspace does not exist."),
    of(400, "ModelArts.7005", "The workspace does not exist."),
    of(400, "ModelArts.0204", "The token does not contain the project."),
    of(400, "ModelArts.0210", "Invalid project id."),
    of(400, "ModelArts.2837", "The account is frozen."),
    of(400, "APIGW.0201", "Bad request."),
    of(400, "APIGW.0602", "Bad request."),
    of(400, "APIGW.0607", "Bad request."),
    of(401, "APIGW.0301", WRONG_KEY),
    of(401, "APIGW.0303", "Incorrect app authentication information."),
    of(401, "APIGW.0305", "Incorrect authentication information."),
    of(401, "APIGW.0307", "The token must be updated."),
    of(401, "ModelArts.0201", "The token is missing."),
    of(401, "ModelArts.0202", "The token has expired."),
    of(401, "ModelArts.0203", "The token is invalid."),
    of(401, "ModelArts.0204", "The token can not be parsed."),
    of(401, "ModelArts.0207", "The project is of another region."),
    of(401, "ModelArts.0212", "The token is invalid."),
    of(401, "ModelArts.50001000", "token is invalid"),
    of(401, "ModelArts.6201", "The account is suspended."),
    of(401, "ModelArts.6203", "The account is restricted."),
    of(403, "ModelArts.0108", "The user does not have the permission."),
    of(403, "ModelArts.0112", "The policy of the workspace forbids it."),
    of(403, "ModelArts.0203", "The token is invalid."),
    of(403, "ModelArts.0206", "The AK/SK is invalid."),
    of(403, "ModelArts.0210", "The project id does not match the token."),
    of(403, "ModelArts.4116", "The account is restricted."),
    of(403, "ModelArts.4118", "The account is in arrears."),
    of(403, "ModelArts.5017", "The account is frozen."),
    of(403, "APIGW.0302", "The IAM user is not authorized to access the API."),
    of(403, "APIGW.0304", "The app is not authorized to access the API."),
    of(403, "APIGW.0306", "API access denied."),
    of(403, "APIGW.0310", "The project is unavailable."),
    of(403, "APIGW.0401", "Unknown client IP address."),
    of(403, "APIGW.0402", "The IP address is not authorized to access the API."),
    of(403, "APIGW.0801", "The service is unavailable in the currently selected region."),
    of(403, "APIGW.0802", "The IAM user is forbidden in the currently selected region."),
    of(404, "ModelArts.50015001", "pool not found"),
    of(404, "ModelArts.50025001", "network not found"),
    of(404, "ModelArts.50005101", "flavor not found"),
    of(404, "APIGW.0101", NO_API),
    of(413, "APIGW.0201", "The request is too large."),
    of(414, "APIGW.0201", "The URI is too long."),
    of(429, "APIGW.0308", THROTTLED),
    of(429, "ModelArts.2799", "Too many requests."),
    of(429, "ModelArts.4206", "Too many requests."),
    of(494, "APIGW.0201", "The headers are too large."),
    of(500, "ModelArts.50005000", "Internal error."),
    of(500, "ModelArts.0010", "Internal error."),
    of(500, "ModelArts.7001", "The workspace service fails."),
    of(500, "ModelArts.7008", "The workspace service fails."),
    of(500, "ModelArts.7009", "The workspace service fails."),
    of(500, "APIGW.0601", "Internal server error."),
    of(500, "APIGW.0605", "The backend's name can not be resolved."),
    of(500, "APIGW.0606", "The gateway can not load its configuration."),
    of(500, "APIGW.0608", "The backend fails."),
    of(500, "APIGW.0609", "The backend fails."),
    of(500, "APIGW.0610", "The backend fails."),
    of(500, "APIGW.0611", "The backend fails."),
    of(500, "APIGW.0612", "The backend fails."),
    of(500, "APIGW.0705", "The gateway fails to sign for the backend."),
    of(502, "APIGW.0201", "Backend unavailable."),
    of(503, "APIGW.0613", "IAM service unavailable."),
    of(504, "APIGW.0201", "Backend timeout."),
];

const fn of(status: u16, code: &'static str, message: &'static str) -> DocumentedError {
    DocumentedError {
        status,
        code,
        message,
    }
}

/// The documented error with this status and this code; what is not given fits all. An internal error where none fits.
pub(super) fn documented(status: Option<u16>, code: Option<&str>) -> DocumentedError {
    let fits = |error: &&DocumentedError| {
        status.is_none_or(|status| status == error.status)
            && code.is_none_or(|code| code == error.code)
    };
    let internal = of(500, "ModelArts.50005000", "Internal error.");
    if status.is_none() && code.is_none() {
        return internal;
    }
    let known = DOCUMENTED_ERRORS.iter().find(fits);
    // A code that no document names, with a known status: the words of that status will do.
    let similar = || DOCUMENTED_ERRORS.iter().find(|e| Some(e.status) == status);
    known.or_else(similar).copied().unwrap_or(internal)
}

/// Whether the error is the gateway's (`APIGW`; dedicated ones say `APIG`, ROMA says `APIC`).
pub(super) fn is_of_a_gateway(code: &str) -> bool {
    code.starts_with("API")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_is_there_once_and_found_by_what_names_it() {
        let names: BTreeSet<_> = DOCUMENTED_ERRORS
            .iter()
            .map(|e| (e.status, e.code))
            .collect();
        assert_eq!(names.len(), DOCUMENTED_ERRORS.len());
        for error in DOCUMENTED_ERRORS {
            assert_eq!(documented(Some(error.status), Some(error.code)), *error);
            assert_eq!(documented(None, Some(error.code)).code, error.code);
            assert_eq!(documented(Some(error.status), None).status, error.status);
        }
    }

    #[test]
    fn the_usual_ones_and_unknown_ones() {
        for (status, code, expected) in [
            (Some(400), None, (400, "ModelArts.50004000")),
            (Some(401), None, (401, "APIGW.0301")),
            (Some(403), None, (403, "ModelArts.0108")),
            (Some(404), None, (404, "ModelArts.50015001")),
            (Some(503), None, (503, "APIGW.0613")),
            (Some(599), None, (500, "ModelArts.50005000")),
            (None, Some("ModelArts.6201"), (401, "ModelArts.6201")),
            (None, Some("ModelArts.9"), (500, "ModelArts.50005000")),
            (None, None, (500, "ModelArts.50005000")),
        ] {
            let error = documented(status, code);
            assert_eq!((error.status, error.code), expected, "{status:?} {code:?}");
        }
        assert_eq!(documented(Some(403), Some("X.1")).status, 403);
    }
}
