//! Bodies that senders and their enemies write: each is understood, or refused with a place and a reason; none ends the process.

use proptest::prelude::*;
use watchkeeper::ingest::json;
use watchkeeper::ingest::senders::{Door, Member, alertmanager_api, alertmanager_webhook};
use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::input::{AlertInput, Refused};
use watchkeeper_engine::policy::priorities::Severities;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Severity;

fn severities() -> Severities {
    let words = [("critical", Severity::Critical), ("page", Severity::Critical), ("warning", Severity::Warning)];
    Severities { words: words.into_iter().map(|(word, severity)| (word.to_owned(), severity)).collect() }
}

fn api(body: impl AsRef<[u8]>) -> Result<Vec<Member>, Refused> {
    alertmanager_api::parse(&Door { source: "prom", realm: &Realm::MAIN, severities: &severities() }, body.as_ref())
}

fn webhook(body: impl AsRef<[u8]>) -> Result<Vec<Member>, Refused> {
    alertmanager_webhook::parse(&Door { source: "am", realm: &Realm::MAIN, severities: &severities() }, body.as_ref())
}

fn inputs(parsed: &[Member]) -> Vec<&AlertInput> {
    parsed.iter().filter_map(|member| member.said.as_ref().ok()).collect()
}

fn faults(parsed: &[Member]) -> Vec<String> {
    parsed.iter().filter_map(|member| Some(member.said.as_ref().err()?.to_string())).collect()
}

fn t(text: &str) -> Option<Time> {
    Some(Time::parse_rfc3339(text).unwrap())
}

#[test]
fn an_alert_of_prometheus_becomes_typed() {
    let parsed = api(r#"[{"labels":{"alertname":"HostDown","instance":"db-1:9100","severity":"page","empty":""},
             "annotations":{"summary":"db-1 does\nnot answer","description":"for 1 m"},
             "startsAt":"2026-11-24T03:02:00.5+01:00","endsAt":"2026-11-24T03:06:00Z","generatorURL":"http://prom/graph"}]"#)
    .unwrap();
    let input = inputs(&parsed)[0];
    assert_eq!((input.source.as_str(), input.realm.name(), input.name.as_str(), input.key.as_str()), ("prom", "main", "HostDown", ""));
    assert_eq!(input.severity, Severity::Critical);
    assert_eq!(input.summary, "db-1 does not answer");
    assert_eq!(input.labels.len(), 3, "an empty label is none");
    assert_eq!((input.starts_at, input.ends_at), (t("2026-11-24T02:02:00.5Z"), t("2026-11-24T03:06:00Z")));
    assert_eq!((input.url.as_str(), input.resolved), ("http://prom/graph", false));
}

#[test]
fn what_a_sender_leaves_out_stays_left_out() {
    for body in [
        r#"[{"labels":{"alertname":"X"}}]"#,
        r#"[{"labels":{"alertname":"X"},"annotations":null,"startsAt":null,"endsAt":null,"generatorURL":null}]"#,
        r#"[{"labels":{"alertname":"X"},"startsAt":"0001-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00.000Z","unknown":[{}]}]"#,
    ] {
        let parsed = api(body).unwrap();
        assert_eq!((inputs(&parsed)[0].starts_at, inputs(&parsed)[0].ends_at), (None, None), "{body}");
    }
}

#[test]
fn a_batch_keeps_its_good_members_and_says_where_the_bad_ones_are() {
    let parsed = api(r#"[{"labels":{"alertname":"A"}},
            {"labels":{"alertname":"B","n":7}},
            {"labels":{}},
            {"labels":["x"]},
            17,
            {"annotations":{}},
            {"labels":{"alertname":"C"},"startsAt":"yesterday"},
            {"labels":{"alertname":"D"},"endsAt":5},
            {"labels":{"alertname":"E","x":"\ud800"}},
            {"labels":{"alertname":"F"},"startsAt":"2026-11-24T03:02:00Z","endsAt":"2026-11-24T03:01:00Z"},
            {"labels":{"alertname":"G"},"annotations":{"a":{"b":1}}},
            {"labels":{"alertname":"Z"}}]"#)
    .unwrap();
    assert_eq!(inputs(&parsed).iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["A", "Z"]);
    let places: Vec<u32> = parsed.iter().filter(|member| member.said.is_ok()).map(|member| member.place).collect();
    assert_eq!(places, [0, 11]);
    insta::assert_snapshot!(faults(&parsed).join("\n"), @r#"
    alerts[1].labels.n: a text, this is a number
    alerts[2].labels: at least one label with a value
    alerts[3].labels: an object of texts, this is a list
    alerts[4]: an object, this is a number
    alerts[5].labels: an object of texts
    alerts[6].startsAt: a time such as 2026-11-24T03:02:00Z, this is "yesterday"
    alerts[7].endsAt: a time such as 2026-11-24T03:02:00Z, this is a number
    alerts[8]: JSON, unexpected end of hex escape
    alerts[9].endsAt: a time not before startsAt 2026-11-24T03:02:00.000Z, this is 2026-11-24T03:01:00.000Z
    alerts[10].annotations.a: a text, this is an object
    "#);
}

#[test]
fn a_body_that_is_no_list_of_alerts_is_refused_whole_with_a_place() {
    let deep = "[".repeat(100_000);
    let many = format!("[{}1]", "1,".repeat(400_000));
    let cases: [(&[u8], &str); 12] = [
        (b"", ""),
        (b"   ", ""),
        (b"{}", ""),
        (b"\"x\"", ""),
        (b"[{\"labels\":{\"a\":\"b\"}}", ""),
        (b"[{\"labels\":{\"a\":NaN}}]", ""),
        (b"[{\"labels\":{\"a\":\"\xff\"}}]", ""),
        (b"[\n  {'labels':1}]", ""),
        (b"[1] x", ""),
        (b"[{\"labels\":{\"a\":\"b\",}}]", ""),
        (deep.as_bytes(), ""),
        (many.as_bytes(), ""),
    ];
    let told: Vec<String> = cases.iter().map(|(body, _)| api(body).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    body: a list of alerts `[…]`, the body is empty
    line 1 column 3: JSON, EOF while parsing a value
    body: a list of alerts `[…]`, this is an object
    body: a list of alerts `[…]`, this is a text
    line 1 column 21: JSON, EOF while parsing a list
    line 1 column 17: JSON, expected value
    line 1 column 18: UTF-8, byte 17 of the body (0xff) is none
    line 2 column 4: JSON, key must be a string
    line 1 column 5: JSON, trailing characters
    line 1 column 21: JSON, key must be a string
    line 1 column 65: at most 64 levels of lists and objects
    line 1 column 524289: at most 262144 values in a body
    "#);
}

#[test]
fn rules_for_odd_json_are_the_ones_that_are_written_down() {
    let name = |body: &[u8]| inputs(&api(body).unwrap())[0].name.clone();
    assert_eq!(name(b"\xef\xbb\xbf[{\"labels\":{\"alertname\":\"bom\"}}]"), "bom");
    assert_eq!(name(br#"[{"labels":{"alertname":"first","alertname":"last"}}]"#), "last", "of a repeated key the last value counts");
    assert_eq!(name(br#"[{"labels":{"alertname":"huge"},"ignored":1e999999,"also":-0,"and":18446744073709551616}]"#), "huge");
    assert_eq!(inputs(&api(br#"[{"labels":{"alertname":"nul","x":"a\u0000b"}}]"#).unwrap())[0].labels.get("x"), "a\0b");
    assert_eq!(
        inputs(&api(br#"[{"labels":{"alertname":"never"},"endsAt":"9999-12-31T23:59:59Z"}]"#).unwrap())[0].ends_at,
        Some(Time::NEVER)
    );
}

#[test]
fn a_body_cut_anywhere_is_refused_and_never_half_taken() {
    let whole = r#"[{"labels":{"alertname":"Übung 💥","x":"\u00fc\n"},"startsAt":"2026-11-24T03:02:00Z"},{"labels":{"alertname":"B"}}]"#;
    for end in 0..whole.len() {
        assert!(api(&whole.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    let whole = r#"{"version":"4","status":"firing","alerts":[{"labels":{"alertname":"Ü💥"},"values":{"A":1}}]}"#;
    for end in 0..whole.len() {
        assert!(webhook(&whole.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_request_has_a_bounded_number_of_alerts() {
    let body = |n: usize| format!("[{}]", vec![r#"{"labels":{"a":"b"}}"#; n].join(","));
    assert_eq!(inputs(&api(body(json::REQUEST_ALERTS_MAX)).unwrap()).len(), json::REQUEST_ALERTS_MAX);
    assert_eq!(api(body(json::REQUEST_ALERTS_MAX + 1)).unwrap_err().place, "alerts");
}

#[test]
fn a_webhook_group_gives_each_alert_its_own_status() {
    let parsed = webhook(
        r#"{"version":"4","status":"firing","groupKey":"{}:{}","alerts":[
            {"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-11-24T03:00:00Z","endsAt":"0001-01-01T00:00:00Z"},
            {"status":"resolved","labels":{"alertname":"B"},"startsAt":"2026-11-24T03:00:00Z","endsAt":"2026-11-24T03:05:00Z"},
            {"labels":{"alertname":"C"}},
            {"status":"pending","labels":{"alertname":"D"}},
            {"status":"resolved","labels":{"alertname":"E"}}]}"#,
    )
    .unwrap();
    let said: Vec<_> = inputs(&parsed).iter().map(|input| (input.name.as_str(), input.resolved, input.ends_at)).collect();
    assert_eq!(
        said,
        [("A", false, Some(Time::NEVER)), ("B", true, t("2026-11-24T03:05:00Z")), ("C", false, Some(Time::NEVER)), ("E", true, None),]
    );
    assert_eq!(faults(&parsed), [r#"alerts[3].status: `firing` or `resolved`, this is "pending""#]);
}

#[test]
fn grafana_says_its_values_and_where_its_panel_is() {
    let parsed = webhook(
        r#"{"version":"1","orgId":1,"state":"alerting","alerts":[{"status":"firing","labels":{"alertname":"Load"},
            "values":{"A":93.5,"B":1,"C":null},"generatorURL":"","panelURL":"http://grafana/d/x?viewPanel=2"}]}"#,
    )
    .unwrap();
    assert_eq!(inputs(&parsed)[0].value, "A=93.5 B=1");
    assert_eq!(inputs(&parsed)[0].url, "http://grafana/d/x?viewPanel=2");
}

#[test]
fn a_body_that_is_no_group_says_what_it_looks_like() {
    let cases = [
        "[]",
        "7",
        "{}",
        r#"{"alerts":{}}"#,
        r#"{"alerts":[],"status":3}"#,
        r#"{"alerts":null}"#,
        r#"{"ruleName":"x","evalMatches":[],"state":"alerting"}"#,
        r#"{"alerts":"#,
    ];
    let told: Vec<String> = cases.iter().map(|body| webhook(body).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    body: an object with `alerts`, as Alertmanager and Grafana send it; a list goes to /api/v2/alerts below this hook
    body: an object with `alerts`, as Alertmanager and Grafana send it, this is a number
    alerts: a list of alerts
    alerts: a list of alerts, this is an object
    status: a text
    alerts: a list of alerts
    alerts: a list of alerts; this looks like Grafana's alerting before version 9, which needs a format of your own in the rules
    line 1 column 10: JSON, EOF while parsing a value
    "#);
}

fn odd_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("1e999999".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("\"firing\"".to_owned()),
        Just("\"2026-11-24T03:02:00Z\"".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        ".{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let key = prop_oneof!["labels|annotations|startsAt|endsAt|alerts|status|values|alertname", ".{0,4}"]
        .prop_map(|key| serde_json::to_string(&key).unwrap());
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|pairs| format!(
                "{{{}}}",
                pairs.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(",")
            )),
        ]
    })
}

fn every_fault_has_a_reason(parsed: Result<Vec<Member>, Refused>) -> Result<(), TestCaseError> {
    let faults = parsed.map_or_else(|fault| vec![fault], |parsed| parsed.into_iter().filter_map(|member| member.said.err()).collect());
    for fault in faults {
        prop_assert!(!fault.expected.is_empty() && !fault.place.is_empty(), "{fault:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_end_the_process(body in prop::collection::vec(any::<u8>(), 0..200)) {
        every_fault_has_a_reason(api(&body))?;
        every_fault_has_a_reason(webhook(&body))?;
    }

    #[test]
    fn no_json_ends_the_process(member in odd_json()) {
        every_fault_has_a_reason(api(&member))?;
        every_fault_has_a_reason(api(format!("[{member}]")))?;
        every_fault_has_a_reason(webhook(&member))?;
        every_fault_has_a_reason(webhook(format!("{{\"alerts\":[{member}]}}")))?;
    }
}
