//! The control endpoint: the commands of `Control` over HTTP, for peers on this machine only.
//!
//! | request | does |
//! |---|---|
//! | `GET /control/pools` | the ids of all pools |
//! | `GET /control/pools/{id}` | the JSON of a pool |
//! | `PUT /control/pools[?workspace=0]` | replaces all pools by the array (or `PoolList`) in the body |
//! | `PUT /control/pools/{id}[?workspace=0]` | sets a pool to the raw JSON in the body |
//! | `PATCH /control/pools/{id}` | merges the JSON merge patch in the body into a pool |
//! | `DELETE /control/pools/{id}` | removes a pool |
//! | `POST /control/pools/{id}/changes` | a change or an array of changes, as in a scenario's timeline: `"hide"`, `{"scale":{"count":3}}` |
//! | `POST /control/generate?count=N[&prefix=][&workspace=]` | adds made-up pools |
//! | `POST /control/order[?seed=N]` | lists in another order; without a seed by id |
//! | `POST /control/page-size[?count=N]` | lists in pages; without a count in one |
//! | `POST /control/list-delay[?by=30s]` | shows new pools in listings so much later than in ShowPool; without a time at once |
//! | `PUT /control/credentials` | accepts the credentials in the body (as in a scenario), unlocks, ends the tokens of users that are changed |
//! | `POST /control/expire` | ends the tokens and temporary keys that were issued, before their time |
//! | `POST /control/faults`, `DELETE /control/faults` | adds the fault in the body; takes all away |
//! | `POST /control/hold` | lets requests wait; the body selects which, empty: all listings of pools |
//! | `POST /control/release` | ends all holds |
//! | `POST /control/advance?by=30s` | plays the timeline so much further at once |
//! | `GET /control/requests`, `DELETE /control/requests` | what was asked; forgets it |

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, Path, RawQuery, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::Response,
    routing::{get, post, put},
};
use serde::de::DeserializeOwned;
use serde_json::{json, value::RawValue};

use super::{
    change::Change,
    control::Control,
    generate::Generate,
    query::Query,
    scenario::DEFAULT_WORKSPACE,
    selection::{Operation, Selection},
    span,
    world::CommandError,
};

/// A body may be so large: 10,000 pools and more.
const LARGEST_BODY: usize = 256 << 20;

/// A command's result: text for a person on failure.
type Outcome = Result<Response, Refused>;

/// The router of everything under `/control`.
pub(super) fn router(control: Control) -> Router {
    Router::new()
        .route("/pools", get(list_pools).put(replace_pools))
        .route(
            "/pools/{id}",
            get(show_pool)
                .put(put_pool)
                .patch(patch_pool)
                .delete(delete_pool),
        )
        .route("/pools/{id}/changes", post(change_pool))
        .route("/generate", post(generate))
        .route("/order", post(order))
        .route("/page-size", post(page_size))
        .route("/list-delay", post(list_delay))
        .route("/credentials", put(credentials))
        .route("/expire", post(expire))
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/hold", post(hold))
        .route("/release", post(release))
        .route("/advance", post(advance))
        .route("/requests", get(requests).delete(reset_requests))
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(local_only))
        .with_state(control)
}

/// Whether a peer is on this machine, also where IPv4 comes in through an IPv6 socket.
fn is_local(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

async fn local_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if is_local(peer.ip()) {
        next.run(request).await
    } else {
        Refused(
            StatusCode::FORBIDDEN,
            "the control endpoint answers peers on the same machine only".to_owned(),
        )
        .into()
    }
}

async fn list_pools(State(control): State<Control>) -> Response {
    json_response(&json!(control.pool_ids()))
}

async fn show_pool(State(control): State<Control>, Path(id): Path<String>) -> Outcome {
    let pool = control.pool(&id).ok_or(CommandError::NoSuchPool(id))?;
    Ok(response(
        StatusCode::OK,
        "application/json",
        pool.as_bytes().to_vec(),
    ))
}

async fn replace_pools(
    State(control): State<Control>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Outcome {
    #[derive(serde::Deserialize)]
    struct List {
        items: Vec<Box<RawValue>>,
    }
    let pools = match body.trim_ascii_start().first() {
        Some(b'{') => parse::<List>(&body)?.items,
        _ => parse(&body)?,
    };
    let pools: Vec<&str> = pools.iter().map(|pool| pool.get()).collect();
    done(control.replace_pools(&workspace(query), &pools))
}

async fn put_pool(
    State(control): State<Control>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Outcome {
    let json = std::str::from_utf8(&body)
        .map_err(|_| CommandError::Invalid("the body is no UTF-8".to_owned()))?;
    done(control.put_raw(&id, &workspace(query), json))
}

async fn patch_pool(
    State(control): State<Control>,
    Path(id): Path<String>,
    body: Bytes,
) -> Outcome {
    done(control.patch_pool(&id, parse(&body)?))
}

async fn delete_pool(State(control): State<Control>, Path(id): Path<String>) -> Outcome {
    done(control.delete_pool(&id))
}

async fn change_pool(
    State(control): State<Control>,
    Path(id): Path<String>,
    body: Bytes,
) -> Outcome {
    let changes: Vec<Change> = if body.trim_ascii_start().first() == Some(&b'[') {
        parse(&body)?
    } else {
        vec![parse(&body)?]
    };
    done(
        changes
            .iter()
            .try_for_each(|change| control.change_pool(&id, change)),
    )
}

async fn generate(State(control): State<Control>, RawQuery(query): RawQuery) -> Outcome {
    let query = Query::parse(query.as_deref().unwrap_or_default());
    let mut generate = Generate::pools(
        number(&query, "count")?
            .ok_or_else(|| CommandError::Invalid("count is missing".to_owned()))?,
    );
    if let Some(prefix) = query.filled("prefix") {
        prefix.clone_into(&mut generate.prefix);
    }
    if let Some(workspace) = query.filled("workspace") {
        workspace.clone_into(&mut generate.workspace);
    }
    control.generate(&generate);
    done(Ok(()))
}

async fn order(State(control): State<Control>, RawQuery(query): RawQuery) -> Outcome {
    control.reorder(number(
        &Query::parse(query.as_deref().unwrap_or_default()),
        "seed",
    )?);
    done(Ok(()))
}

async fn page_size(State(control): State<Control>, RawQuery(query): RawQuery) -> Outcome {
    control.set_page_size(number(
        &Query::parse(query.as_deref().unwrap_or_default()),
        "count",
    )?);
    done(Ok(()))
}

async fn list_delay(State(control): State<Control>, RawQuery(query): RawQuery) -> Outcome {
    control.set_list_delay(time(query)?.unwrap_or_default());
    done(Ok(()))
}

async fn credentials(State(control): State<Control>, body: Bytes) -> Outcome {
    control.set_credentials(parse(&body)?);
    done(Ok(()))
}

async fn expire(State(control): State<Control>) -> Outcome {
    control.expire_credentials();
    done(Ok(()))
}

async fn add_fault(State(control): State<Control>, body: Bytes) -> Outcome {
    done(control.add_fault(parse(&body)?))
}

async fn clear_faults(State(control): State<Control>) -> Outcome {
    control.clear_faults();
    done(Ok(()))
}

async fn hold(State(control): State<Control>, body: Bytes) -> Outcome {
    let listings = Selection::of(Operation::ListPools);
    control.hold(if body.trim_ascii().is_empty() {
        listings
    } else {
        parse(&body)?
    });
    done(Ok(()))
}

async fn release(State(control): State<Control>) -> Outcome {
    control.release();
    done(Ok(()))
}

async fn advance(State(control): State<Control>, RawQuery(query): RawQuery) -> Outcome {
    let by = time(query)?.ok_or_else(|| CommandError::Invalid("by is missing".to_owned()))?;
    control.advance(by);
    done(Ok(()))
}

async fn requests(State(control): State<Control>) -> Response {
    json_response(&json!(control.requests()))
}

async fn reset_requests(State(control): State<Control>) -> Outcome {
    control.reset_requests();
    done(Ok(()))
}

async fn nothing() -> Outcome {
    Err(Refused(
        StatusCode::NOT_FOUND,
        "no such command; docs/simulator.md lists them".to_owned(),
    ))
}

/// A refused command.
struct Refused(StatusCode, String);

impl From<CommandError> for Refused {
    fn from(error: CommandError) -> Self {
        let status = match error {
            CommandError::NoSuchPool(_) => StatusCode::NOT_FOUND,
            CommandError::Invalid(_) => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

impl From<Refused> for Response {
    fn from(Refused(status, problem): Refused) -> Self {
        response(status, "text/plain; charset=utf-8", problem + "\n")
    }
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.into()
    }
}

fn done(result: Result<(), CommandError>) -> Outcome {
    result?;
    Ok(response(
        StatusCode::NO_CONTENT,
        "text/plain; charset=utf-8",
        "",
    ))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, CommandError> {
    serde_json::from_slice(body)
        .map_err(|error| CommandError::Invalid(format!("the body is not understood: {error}")))
}

fn number<T: std::str::FromStr>(query: &Query, key: &str) -> Result<Option<T>, CommandError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| CommandError::Invalid(format!("{key}: {text:?} is no such number")))
    };
    query.filled(key).map(parse).transpose()
}

/// The length of time in the parameter `by`.
fn time(query: Option<String>) -> Result<Option<Duration>, CommandError> {
    let query = Query::parse(&query.unwrap_or_default());
    let parse = |text| span::parse(text).map_err(CommandError::Invalid);
    query.filled("by").map(parse).transpose()
}

fn workspace(query: Option<String>) -> String {
    let query = Query::parse(&query.unwrap_or_default());
    query
        .filled("workspace")
        .unwrap_or(DEFAULT_WORKSPACE)
        .to_owned()
}

fn json_response(value: &serde_json::Value) -> Response {
    response(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

fn response(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for (peer, local) in [
            ("127.0.0.1", true),
            ("127.1.2.3", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("fe80::1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(is_local(peer.parse().unwrap()), local, "{peer}");
        }
    }
}
