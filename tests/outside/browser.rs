//! Chromium shows every mail and the incident page, on a phone and wider, light and dark: nothing runs over the edge, everything can be read and touched.

use std::fs;
use std::path::Path;
use std::process::Command;

use watchkeeper_engine::words::Reason;

use crate::messages::{message, parts};
use crate::pages::{link_pages, open_page, problem_page, resolved_page};

/// Measures in the page: how wide it is, the contrast of every text with what lies behind it, the height of what is touched.
const MEASURE: &str = include_str!("measure.js");

#[test]
fn nothing_runs_over_the_edge_and_everything_can_be_read_on_phones_and_wider_light_and_dark() {
    let faults = measured("every-mail-and-page", &everything());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn what_is_wrong_on_a_page_is_seen() {
    let page = "<html><head><style>:root { color-scheme: light dark }</style></head><body><p style=\"width:900px\">too wide</p>\
                <p style=\"color:#999;background:#fff\">too pale</p><p style=\"font-size:12px\">too small</p><button>x</button>\
                <p style=\"white-space:nowrap\">a line that does not break and runs over the edge of whatever it is shown on, however wide that is</p></body></html>";
    let faults = measured("a-page-of-faults", &[("faulty".to_owned(), page.to_owned())]);
    for (form, fault) in [
        ("360 light", "the page is"),
        ("600 dark", "the page is"),
        ("360 light", "contrast 2.85 of “too pale”"),
        ("600 dark", "contrast 2.85 of “too pale”"),
        ("360 dark", "letters of 12px in “too small”"),
        ("360 light", "target of"),
        ("360 light", "over the edge: “a line that"),
    ] {
        let seen = faults.iter().any(|line| line.starts_with(&format!("faulty {form}: {fault}")));
        assert!(seen, "`{fault}` was not seen at {form} among\n{}", faults.join("\n"));
    }
}

/// The faults of pages, each looked at in every width and scheme.
fn measured(file: &str, pages: &[(String, String)]) -> Vec<String> {
    let mut frames = String::new();
    let mut expected = Vec::new();
    for (name, html) in pages {
        for width in [360, 600] {
            for scheme in ["light", "dark"] {
                let inside = html.replace("</body>", &format!("<script>{MEASURE}</script></body>"));
                assert!(inside.contains(MEASURE), "{name} has no </body>");
                let title = format!("{name} {width} {scheme}");
                frames.push_str(&frame(&title, width, scheme, &inside));
                expected.push(title);
            }
        }
    }
    // Stays behind, so that a person can open it and look.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{file}.html"));
    fs::write(&file, format!("<!DOCTYPE html><html><body><pre id=\"measured\"></pre>{frames}</body></html>")).unwrap();
    let dom = chromium(&file);
    let (_, rest) = dom.split_once("<pre id=\"measured\">").expect("the result is there");
    let (result, _) = rest.split_once("</pre>").expect("the result ends");
    let (mut seen, mut faults) = (Vec::new(), Vec::new());
    for line in result.lines() {
        match line.split_once(" texts ") {
            Some((title, texts)) => {
                assert!(texts.parse::<u32>().unwrap() >= 5, "{title}: only {texts} texts were looked at");
                seen.push(title.to_owned());
            }
            None => faults.push(line.to_owned()),
        }
    }
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected, "every page in every form was measured, and in the form that was asked for");
    faults
}

/// A page in a frame of its own width and scheme: a window cannot be narrower than 500 px.
fn frame(title: &str, width: u32, scheme: &str, html: &str) -> String {
    let inside = html.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<iframe title=\"{title}\" width=\"{width}\" height=\"900\" style=\"border:0;color-scheme:{scheme}\" srcdoc=\"{inside}\"></iframe>\n"
    )
}

/// Every HTML that people see.
fn everything() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Reason::ALL.iter().map(|reason| (reason.word().to_owned(), parts(&message(*reason)).2)).collect();
    let business = watchkeeper_engine::model::message::Message { template: "business".into(), ..message(Reason::Opened) };
    all.push(("business".to_owned(), parts(&business).2));
    all.push(("page".to_owned(), open_page().html()));
    all.push(("page-resolved".to_owned(), resolved_page().html()));
    all.push(("page-problem".to_owned(), problem_page().html()));
    all.extend(link_pages().into_iter().map(|(name, page)| (name, page.html())));
    all
}

/// What the browser makes of a file, without a network; its own process and profile.
fn chromium(file: &Path) -> String {
    let profile = tempfile::tempdir().unwrap();
    let done = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--no-first-run", "--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--window-size=1300,900")
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium is installed (apt-get install chromium)");
    assert!(done.status.success(), "chromium: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}
