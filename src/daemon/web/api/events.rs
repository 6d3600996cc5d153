//! `/api/v1/events`: what happened after a cursor, as a stream of server-sent events or by long poll.
//!
//! A reader that is slow reads later: nothing is kept for it. One that does not read for a minute is disconnected by its connection's deadline, and goes on from the
//! id of the last event it has.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::OwnedSemaphorePermit;

use crate::events::{Cursor, Events, Happened, NoEvents};
use crate::ingest::connections::Phase;
use crate::ingest::http::Caller;
use crate::view::{EventView, Page};
use crate::web::App;
use crate::web::describe::{Parameter, Takes, names};
use crate::web::error::ApiError;
use crate::web::query::Query;
use crate::writer::Full;

/// Streams and polls that are open at once; further ones are told to come again.
pub(in crate::web) const READERS_MAX: usize = 64;
/// Events of one answer to a poll at most, and by default.
const LIMIT_MAX: usize = 1_000;
/// Events that are written to a stream at once.
const CHUNK_EVENTS: usize = 100;
/// How long a poll waits by default, and at most: shorter than proxies do.
const WAIT_DEFAULT: usize = 25;
const WAIT_MAX: usize = 55;
/// How often a stream on which nothing happens says where it is.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Parameters of the list.
pub(super) const PARAMETERS: [Parameter; 3] = [
    Parameter::text("after", "The cursor: an event's id, or the `next` of an answer. What happens from now on unless given."),
    Parameter { name: "limit", about: "Events of one answer at most.", takes: Takes::Number(LIMIT_MAX) },
    Parameter::text("wait", "Seconds to wait for something to happen: 0 to 55, 25 unless given."),
];

/// `GET /api/v1/events`.
pub(super) async fn events(
    State(app): State<App>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = Query::of(&uri, &names(&[&PARAMETERS]))?;
    let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_MAX)?;
    let wait = query.number("wait", 0..=WAIT_MAX, WAIT_DEFAULT)?;
    // A browser that connects again says where it was in a header, and its address still says where it began.
    let given = headers.get("last-event-id").and_then(|value| value.to_str().ok()).or_else(|| query.get("after"));
    let cursor = |text: &str| text.parse().map_err(|_| ApiError::bad("after: expected the cursor of an event").with("place", "after"));
    let after: Option<Cursor> = given.map(cursor).transpose()?;
    let readers = Arc::clone(&app.event_readers).try_acquire_owned().map_err(|_| Full::Busy)?;
    let is_stream =
        headers.get_all(header::ACCEPT).iter().any(|value| value.to_str().is_ok_and(|value| value.contains("text/event-stream")));
    let Some(after) = after else {
        let now = app.events.now();
        return Ok(if is_stream { stream(&app, now, caller, readers) } else { page(&[], now) });
    };
    let patience = if is_stream { Duration::ZERO } else { Duration::from_secs(wait as u64) };
    let part = match app.events.wait(after, limit, patience, Happened::of).await {
        Ok(part) => part,
        Err(NoEvents::Stopping) => return Err(Full::Stopping.into()),
        Err(NoEvents::Read(error)) => return Err(error.into()),
        Err(gone @ NoEvents::Gone) => return Err(ApiError::new(StatusCode::GONE, gone.to_string()).with("place", "after")),
    };
    // A stream begins at its cursor again: that it can be read is known by now.
    Ok(if is_stream { stream(&app, after, caller, readers) } else { page(&part.events, part.next) })
}

fn page(events: &[Happened], next: Cursor) -> Response {
    axum::Json(Page { items: events.iter().map(EventView::of).collect(), next: Some(next.to_string()) }).into_response()
}

fn stream(app: &App, after: Cursor, caller: Option<Extension<Caller>>, reader: OwnedSemaphorePermit) -> Response {
    // The first bytes are the cursor: a client that is cut off before any event knows where it was.
    let begin = format!("retry: 1000\n{}", cursor(after));
    let body = Stream {
        next: Some(Box::pin(std::future::ready(Some((Tail { events: app.events.clone(), after }, begin))))),
        caller: caller.map(|Extension(caller)| caller),
        _reader: reader,
    };
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// An event without data: it moves the client's cursor, and is handed to nobody.
fn cursor(at: Cursor) -> String {
    format!("id: {at}\n\n")
}

/// What a stream goes on with.
struct Tail {
    events: Events,
    after: Cursor,
}

type Next = Pin<Box<dyn Future<Output = Option<(Tail, String)>> + Send>>;

/// The body of a stream. The next events are read when the last are written.
struct Stream {
    next: Option<Next>,
    caller: Option<Caller>,
    _reader: OwnedSemaphorePermit,
}

impl Tail {
    async fn next(mut self) -> Option<(Tail, String)> {
        match self.events.wait(self.after, CHUNK_EVENTS, HEARTBEAT, Happened::of).await {
            Ok(part) => {
                let mut text: String = part
                    .events
                    .iter()
                    .map(|event| format!("id: {}\nevent: {}\ndata: {}\n\n", event.cursor, event.kind, super::json(&EventView::of(event))))
                    .collect();
                text.push_str(&cursor(part.next));
                self.after = part.next;
                Some((self, text))
            }
            // What is not there cannot be caught up with: the client begins anew. Otherwise it connects again, from where it was.
            Err(NoEvents::Gone | NoEvents::Stopping | NoEvents::Read(_)) => None,
        }
    }
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // To the connection this is a request that is being answered, however long nothing happens.
        if let Some(caller) = &self.caller {
            caller.enter(Phase::Request);
        }
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let Some((tail, text)) = ready!(next.as_mut().poll(context)) else {
            self.next = None;
            return Poll::Ready(None);
        };
        self.next = Some(Box::pin(tail.next()));
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(caller) = &self.caller {
            caller.enter(Phase::Idle);
        }
    }
}
