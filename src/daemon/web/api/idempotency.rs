//! `Idempotency-Key`: a POST that is sent again gets the answer that the first one got, for 24 hours and over restarts.
//!
//! That a command was done stands in its own transaction, under the key; the answer replaces that in a commit of its own before it is given. Where the daemon stops
//! between the two, the next request with the key does nothing again and is answered with the record as it is then. A request that goes away is done to its end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use watchkeeper_engine::event::{Obeyed, Reply};
use watchkeeper_engine::state::rows::{decode, encode};
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_store::{Direction, Reader, RowChange, Table};

use crate::ingest::http::read_body;
use crate::ingest::trust::Principal;
use crate::read::ReadError;
use crate::web::App;
use crate::web::error::ApiError;
use crate::writer::{Full, RowsOfReply};

/// How long an answer is kept.
const KEPT_FOR: Span = Span::hours(24);

/// Answers that are kept; the oldest go first.
const KEPT_MAX: usize = 10_000;

/// Bytes of answers that are kept; the oldest go first.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of one answer that is kept. A larger one fails, because it could not be given again.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of a key.
const KEY_BYTES_MAX: usize = 200;

/// Rows that one snapshot reads at a start.
const PAGE_ROWS: usize = 500;

/// Who used which key.
type Key = (String, String);

/// The answers of the last day.
#[derive(Debug, Default)]
pub struct Answers(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    answers: BTreeMap<Key, Entry>,
    order: VecDeque<(Time, Key)>,
    bytes: usize,
}

#[derive(Debug)]
enum Entry {
    /// The first request is not answered yet.
    Running,
    /// It was answered, or at least done, and is kept until then.
    Done(Time, Receipt),
}

/// How a request begins.
enum Begun {
    /// Its key is new.
    New,
    /// It was done, and its answer is not known.
    Done(Time, Receipt),
    /// It was answered.
    Answered(Receipt),
}

/// An answer as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
struct Receipt {
    /// Whose key it is.
    #[n(0)]
    who: String,
    /// The key.
    #[n(1)]
    key: String,
    /// The hash of the request.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    request: Vec<u8>,
    /// The status of the answer.
    #[n(3)]
    status: u16,
    /// Its `Content-Type`.
    #[n(4)]
    content_type: String,
    /// Its `ETag`, or empty.
    #[n(5)]
    etag: String,
    /// Its body.
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    body: Vec<u8>,
    /// What the command was about, where it was done and its answer is not kept yet; the status is 0 then.
    #[n(7)]
    done_id: Option<String>,
    /// The version of that then.
    #[n(8)]
    done_version: Option<u64>,
}

/// The key of a request, on its way to the command that it carries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Once(Arc<OnceState>);

#[derive(Debug)]
struct OnceState {
    /// The receipt without an answer.
    unanswered: Receipt,
    expiry: Time,
    /// The same once the command was done, in this run or the one before.
    done: OnceLock<Receipt>,
}

impl Once {
    /// What the command came to, where it was done before.
    pub(in crate::web) fn done(&self) -> Option<Obeyed> {
        let receipt = self.0.done.get()?;
        Some(Obeyed::Done { id: receipt.done_id.clone()?, version: receipt.done_version?, changed: true })
    }

    /// Makes the row that stands in the command's transaction where it is done; what was refused may be sent again.
    pub(in crate::web) fn receipt(&self) -> RowsOfReply {
        let once = Arc::clone(&self.0);
        Box::new(move |reply| {
            let Reply::Obeyed(Obeyed::Done { id, version, changed: true }) = reply else { return Vec::new() };
            let receipt = Receipt { done_id: Some(id.clone()), done_version: Some(*version), ..once.unanswered.clone() };
            let row = receipt.row(once.expiry);
            // A request carries one command; of several the first counts.
            once.done.set(receipt).ok();
            vec![row]
        })
    }
}

/// Answers a request as its first sending was answered, or lets it through and keeps the answer.
pub(in crate::web) async fn once(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let Some(key) = request.headers().get("idempotency-key") else { return next.run(request).await };
    let key = match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_BYTES_MAX => (who.name, key.to_owned()),
        Ok(_) | Err(_) => {
            return ApiError::bad(format!("Idempotency-Key: expected 1 to {KEY_BYTES_MAX} bytes of ASCII")).into_response();
        }
    };
    // In a task of its own: a client that goes away must not leave a key half used.
    let kept = tokio::spawn(async move { keep(&app, key, request, next).await }).await;
    let stopping = Err(ApiError::from(Full::Stopping));
    kept.unwrap_or(stopping).unwrap_or_else(ApiError::into_response)
}

async fn keep(app: &App, key: Key, request: Request<Body>, next: Next) -> Result<Response<Body>, ApiError> {
    let (parts, body) = request.into_parts();
    let mut head = Request::new(body);
    *head.headers_mut() = parts.headers.clone();
    let body = read_body(head, app.config.limits.body_bytes, &app.bytes_in_flight).await?;
    let mut hash = Sha256::new();
    for part in [parts.method.as_str().as_bytes(), parts.uri.to_string().as_bytes(), &body.bytes] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize().to_vec();
    let now = app.now();
    let unanswered = Receipt { who: key.0.clone(), key: key.1.clone(), request: hash.clone(), ..Receipt::default() };
    let (state, replayed) = match app.answers.begin(&key, &hash, now)? {
        Begun::Answered(receipt) => return receipt.answer(Replayed::Yes),
        Begun::Done(expiry, receipt) => (OnceState { unanswered, expiry, done: OnceLock::from(receipt) }, Replayed::Yes),
        Begun::New => (OnceState { unanswered, expiry: now + KEPT_FOR, done: OnceLock::new() }, Replayed::No),
    };
    let once = Once(Arc::new(state));
    let running = Running { answers: &app.answers, key: Some(key.clone()), once: once.clone() };
    let bytes = body.bytes.clone();
    drop(body);
    let mut request = Request::from_parts(parts, Body::from(bytes));
    request.extensions_mut().insert(once.clone());
    let response = next.run(request).await;
    if response.status().is_server_error() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX)
        .await
        .map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer is too large to be kept for the Idempotency-Key"))?;
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let receipt = Receipt {
        who: key.0,
        key: key.1,
        request: hash,
        status: head.status.as_u16(),
        content_type: text(header::CONTENT_TYPE),
        etag: text(header::ETAG),
        body: bytes.to_vec(),
        done_id: None,
        done_version: None,
    };
    let expiry = once.0.expiry;
    app.writer.keep(vec![receipt.row(expiry)])?.await.map_err(|_| Full::Stopping)?;
    running.done(expiry, receipt.clone());
    receipt.answer(replayed)
}

/// Where the request ends without an answer to keep, whichever way it ends, the key is new again; but not where the command was done.
struct Running<'a> {
    answers: &'a Answers,
    key: Option<Key>,
    once: Once,
}

impl Running<'_> {
    fn done(mut self, expiry: Time, receipt: Receipt) {
        self.key = None;
        self.answers.lock().keep(expiry, receipt);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut kept = self.answers.lock();
        kept.answers.remove(&key);
        if let Some(receipt) = self.once.0.done.get() {
            kept.keep(self.once.0.expiry, receipt.clone());
        }
    }
}

impl Answers {
    /// What the store keeps of earlier runs.
    ///
    /// # Errors
    /// The store fails, or holds what this release cannot read.
    pub fn load(reader: &Reader) -> Result<Answers, ReadError> {
        let mut kept = Kept::default();
        let mut from: Option<Vec<u8>> = None;
        loop {
            let page = reader.snapshot()?.range(Table::RECEIPTS, from.as_deref(), PAGE_ROWS, Direction::Forward)?;
            for (key, bytes) in &page.rows {
                let expiry = key.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes));
                kept.keep(Time(expiry), decode(Table::RECEIPTS.name(), bytes)?);
                kept.bound();
            }
            from = page.next;
            if from.is_none() {
                return Ok(Answers(Mutex::new(kept)));
            }
        }
    }

    /// Begins a request: with what is kept for its key, or as the first that runs.
    fn begin(&self, key: &Key, request: &[u8], now: Time) -> Result<Begun, ApiError> {
        let mut kept = self.lock();
        while kept.order.front().is_some_and(|(expiry, _)| *expiry <= now) {
            kept.forget_first();
        }
        kept.bound();
        match kept.answers.get(key) {
            None => {
                kept.answers.insert(key.clone(), Entry::Running);
                Ok(Begun::New)
            }
            Some(Entry::Running) => {
                Err(ApiError::new(StatusCode::CONFLICT, "the first request with this Idempotency-Key is not answered yet"))
            }
            Some(Entry::Done(expiry, receipt)) if receipt.request == request => {
                let (expiry, receipt) = (*expiry, receipt.clone());
                if receipt.done_id.is_none() {
                    return Ok(Begun::Answered(receipt));
                }
                kept.answers.insert(key.clone(), Entry::Running);
                Ok(Begun::Done(expiry, receipt))
            }
            Some(Entry::Done(..)) => {
                Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "this Idempotency-Key was used for another request"))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no holder of this panics")
    }
}

impl Kept {
    fn keep(&mut self, expiry: Time, receipt: Receipt) {
        let key = (receipt.who.clone(), receipt.key.clone());
        self.bytes += receipt.body.len();
        self.order.push_back((expiry, key.clone()));
        self.answers.insert(key, Entry::Done(expiry, receipt));
    }

    fn bound(&mut self) {
        while self.order.len() >= KEPT_MAX || self.bytes > KEPT_BYTES_MAX {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((_, key)) = self.order.pop_front() else { return };
        if let Some(Entry::Done(_, receipt)) = self.answers.remove(&key) {
            self.bytes -= receipt.body.len();
        }
    }
}

/// Whether an answer is given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replayed {
    Yes,
    No,
}

impl Receipt {
    /// Its row: by expiry, so that a commit finds what has passed.
    fn row(&self, expiry: Time) -> RowChange {
        let of =
            Sha256::new().chain_update((self.who.len() as u64).to_be_bytes()).chain_update(&self.who).chain_update(&self.key).finalize();
        let key = [&expiry.0.to_be_bytes()[..], &of[..16]].concat();
        RowChange { table: Table::RECEIPTS, key, value: Some(encode(self)) }
    }

    fn answer(self, replayed: Replayed) -> Result<Response<Body>, ApiError> {
        let broken =
            || ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer that is kept for this Idempotency-Key cannot be given");
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).map_err(|_| broken())?;
        for (name, value) in [(header::CONTENT_TYPE, self.content_type), (header::ETAG, self.etag)] {
            if !value.is_empty() {
                response.headers_mut().insert(name, HeaderValue::from_str(&value).map_err(|_| broken())?);
            }
        }
        if replayed == Replayed::Yes {
            response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        Ok(response)
    }
}
