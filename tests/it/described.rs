//! The description of the API as this binary has it: every answer that a test sees is compared with it.

use std::sync::LazyLock;

use watchkeeper_harness::described::{Description, Exchange};

static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| Description::new(serde_json::from_str(&watchkeeper::web::openapi::DOCUMENT).unwrap()));

/// Compares an answer with the description.
///
/// # Panics
/// They differ.
pub(crate) fn check(exchange: &Exchange<'_>) {
    DESCRIPTION.check(exchange);
}

#[test]
fn a_shape_that_is_not_described_is_noticed() {
    let exchange = |status, kind, body| Exchange { method: "GET", target: "/api/v1/clock", request: b"", status, kind, body };
    let right = r#"{"now":"2026-11-24T03:00:00.000Z","wall":"2026-11-24T03:00:00.000Z","doubted":null}"#;
    check(&exchange(200, "application/json", right));
    let wrong = [
        exchange(200, "application/json", r#"{"now":"2026-11-24T03:00:00.000Z","wall":7,"doubted":null}"#),
        exchange(200, "application/json", r#"{"now":"2026-11-24T03:00:00.000Z","doubted":null}"#),
        exchange(
            200,
            "application/json",
            r#"{"now":"2026-11-24T03:00:00.000Z","wall":"2026-11-24T03:00:00.000Z","doubted":null,"more":1}"#,
        ),
        exchange(200, "text/plain", right),
        exchange(418, "application/json", right),
        exchange(400, "application/problem+json", r#"{"detail":"x"}"#),
    ];
    for exchange in &wrong {
        let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(exchange)));
        assert!(noticed.is_err(), "{} {} {}", exchange.status, exchange.kind, exchange.body);
    }
}
