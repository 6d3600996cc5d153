//! Who may do what: roles, tokens in both forms, this machine, and pages of other origins.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use watchkeeper::config::{Role, Secret, Token};
use watchkeeper::ingest::trust::{Denied, Need, Peer, Trust, WithoutTokens};

const HERE: Peer = Peer::Tcp(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
const ELSEWHERE: Peer = Peer::Tcp(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)));
const NEEDS: [Need; 4] = [Need::Read, Need::Send, Need::Operate, Need::Administer];

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

fn token(name: &str, role: Role, secret: &str) -> Token {
    Token { name: name.to_owned(), role, secret: Secret::new(secret) }
}

fn tokens() -> Trust {
    let tokens = vec![
        token("vera", Role::Viewer, "v-secret"),
        token("otto", Role::Operator, "o-secret"),
        token("prom", Role::Source, "s-secret"),
        token("ada", Role::Admin, "a-secret"),
    ];
    Trust::new(tokens, WithoutTokens::ThisMachine, "https://watch.example.org/")
}

fn none() -> Trust {
    Trust::new(Vec::new(), WithoutTokens::ThisMachine, "http://watch.example.org")
}

#[test]
fn each_role_may_do_what_it_is_for_and_nothing_else() {
    let allowed = |secret: &str| {
        let headers = headers(&[("authorization", &format!("Bearer {secret}"))]);
        NEEDS.map(|need| tokens().admit(ELSEWHERE, &Method::POST, &headers, need).is_ok())
    };
    assert_eq!(allowed("v-secret"), [true, false, false, false]);
    assert_eq!(allowed("o-secret"), [true, true, true, false]);
    assert_eq!(allowed("s-secret"), [false, true, false, false]);
    assert_eq!(allowed("a-secret"), [true, true, true, true]);
}

#[test]
fn the_token_is_the_password_of_basic_whatever_the_user() {
    for basic in ["Basic YW55Ym9keTpvLXNlY3JldA==", "basic Om8tc2VjcmV0", "BASIC Om8tc2VjcmV0"] {
        let principal = tokens().admit(ELSEWHERE, &Method::GET, &headers(&[("authorization", basic)]), Need::Operate).unwrap();
        assert_eq!((principal.name.as_str(), principal.role), ("otto", Role::Operator));
    }
}

#[test]
fn no_token_and_a_wrong_one_are_told_alike() {
    for given in
        ["", "Bearer", "Bearer ", "Bearer o-secre", "Bearer o-secret-", "Basic !!!", "Basic YQ==", "Digest o-secret", "Bearer \u{fc}"]
    {
        let map = if given.is_empty() { headers(&[]) } else { headers(&[("authorization", given)]) };
        assert_eq!(tokens().admit(ELSEWHERE, &Method::GET, &map, Need::Read), Err(Denied::Unknown), "{given:?}");
    }
    assert_eq!(
        tokens().admit(HERE, &Method::GET, &headers(&[]), Need::Read),
        Err(Denied::Unknown),
        "with tokens, this machine needs one too"
    );
}

#[test]
fn a_hooks_own_token_opens_that_hook_only() {
    let hook = tokens().with(token("hook:grafana", Role::Source, "g-secret"));
    let grafana = headers(&[("authorization", "Bearer g-secret")]);
    assert_eq!(hook.admit(ELSEWHERE, &Method::POST, &grafana, Need::Send).unwrap().name, "hook:grafana");
    assert_eq!(tokens().admit(ELSEWHERE, &Method::POST, &grafana, Need::Send), Err(Denied::Unknown));
}

#[test]
fn without_tokens_only_this_machine_is_served_and_only_under_its_own_names() {
    for host in ["localhost:9080", "127.0.0.1:9080", "[::1]:9080", "watch.example.org", "WATCH.example.org"] {
        let principal = none().admit(HERE, &Method::POST, &headers(&[("host", host)]), Need::Administer).unwrap();
        assert_eq!(principal.name, "local", "{host}");
    }
    for host in ["evil.example:9080", "localhost.evil.example", "watch.example.org.evil.example"] {
        assert_eq!(none().admit(HERE, &Method::GET, &headers(&[("host", host)]), Need::Read), Err(Denied::NotLocal), "{host}");
    }
    assert_eq!(none().admit(ELSEWHERE, &Method::GET, &headers(&[]), Need::Read), Err(Denied::NotLocal));
    let open = Trust::new(Vec::new(), WithoutTokens::Everybody, "http://w");
    assert_eq!(open.admit(ELSEWHERE, &Method::POST, &headers(&[]), Need::Administer).unwrap().name, "anybody");
}

#[test]
fn the_socket_serves_its_owner_without_a_token_and_nobody_else() {
    assert_eq!(tokens().admit(Peer::Owner, &Method::POST, &headers(&[]), Need::Administer).unwrap().name, "local");
    assert_eq!(tokens().admit(Peer::Stranger, &Method::GET, &headers(&[]), Need::Read), Err(Denied::Stranger));
}

#[test]
fn a_page_of_another_origin_cannot_command() {
    let post = |pairs: &[(&str, &str)]| {
        let all = [&[("authorization", "Bearer o-secret"), ("host", "watch.internal:9080")], pairs].concat();
        tokens().admit(ELSEWHERE, &Method::POST, &headers(&all), Need::Operate).map(|principal| principal.name)
    };
    assert_eq!(post(&[]).unwrap(), "otto");
    assert_eq!(post(&[("origin", "http://watch.internal:9080")]).unwrap(), "otto");
    assert_eq!(post(&[("origin", "https://watch.example.org")]).unwrap(), "otto", "behind a proxy the origin is the external URL");
    for origin in ["https://evil.example", "null", "https://watch.example.org.evil.example", "http://watch.internal:9081"] {
        assert_eq!(post(&[("origin", origin)]), Err(Denied::CrossOrigin), "{origin}");
    }
    assert_eq!(post(&[("sec-fetch-site", "cross-site")]), Err(Denied::CrossOrigin));
}
