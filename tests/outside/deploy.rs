//! What deploy/ promises: the unit is as closed as it says, Prometheus takes the alert rules and their tests, and every metric that is named exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn deploy(inner: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(inner)
}

fn run(program: &str, arguments: &[&str], folder: &str) -> String {
    let done = Command::new(program).args(arguments).current_dir(deploy(folder)).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}. `tests/setup test` installs it"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{program} {arguments:?}: {out}{err}");
    format!("{out}{err}")
}

#[test]
fn the_unit_of_the_daemon_is_exposed_by_no_more_than_12_tenths() {
    let said = run("systemd-analyze", &["security", "--offline=true", "--threshold=12", "watchkeeper.service"], "systemd");
    assert!(said.contains("Overall exposure level"), "{said}");
    let unit = std::fs::read_to_string(deploy("systemd/watchkeeper.service")).unwrap();
    assert!(unit.contains("Type=notify") && unit.contains("WatchdogSec="));
}

#[test]
fn prometheus_takes_the_configuration_and_the_rules_and_their_tests_pass() {
    run("promtool", &["check", "config", "--syntax-only", "prometheus.yml"], "prometheus");
    run("promtool", &["check", "config", "--syntax-only", "prometheus.yml"], "docker");
    run("promtool", &["check", "rules", "watchkeeper.rules.yml"], "prometheus");
    run("promtool", &["test", "rules", "watchkeeper.rules.test.yml"], "prometheus");
}

/// The names that begin like a metric of ours, without the parts of a histogram.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("watchkeeper_"));
    words.map(|word| ["_bucket", "_sum", "_count"].iter().fold(word, |word, end| word.trim_end_matches(end)).to_owned()).collect()
}

#[test]
fn every_metric_that_the_rules_and_the_dashboard_name_is_one_of_the_daemon() {
    let telemetry = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/daemon/telemetry/metrics.rs")).unwrap();
    let served = metrics(&telemetry);
    for file in ["prometheus/watchkeeper.rules.yml", "grafana/watchkeeper.json"] {
        let text = std::fs::read_to_string(deploy(file)).unwrap();
        let named = metrics(&text);
        assert!(named.len() >= 5, "{file} names {named:?}");
        let unknown: Vec<_> = named.difference(&served).collect();
        assert!(unknown.is_empty(), "{file} names what no daemon serves: {unknown:?}");
    }
    let dashboard = std::fs::read_to_string(deploy("grafana/watchkeeper.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().iter().all(|panel| !panel["targets"].as_array().unwrap().is_empty()));
}

#[test]
fn the_configurations_of_the_image_and_of_the_trial_installation_have_no_fault() {
    for file in ["docker/daemon.toml", "docker/trial.toml", "systemd/daemon.toml"] {
        let place = tempfile::tempdir().unwrap();
        std::fs::copy(deploy(file), place.path().join("daemon.toml")).unwrap();
        run(env!("CARGO_BIN_EXE_watchkeeper"), &["check", place.path().to_str().unwrap()], ".");
    }
}

/// What the build reads at the root of the repository is in the image's build stage, and nothing is named that is not there.
#[test]
fn the_image_is_built_of_what_the_build_reads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(deploy("docker/Dockerfile")).unwrap();
    let copied: BTreeSet<&str> = file
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(|rest| rest.split(' ').filter(|word| !word.starts_with('-')))
        .collect();
    for read in ["Cargo.toml", "Cargo.lock", "build.rs", "src", "tests", "templates", "rules", "cmdb"] {
        assert!(root.join(read).exists() && copied.contains(read), "{read}");
    }
}

/// The lines to paste: what they copy is in the repository, and nothing is started before its configuration is there.
#[test]
fn the_lines_that_install_the_daemon_name_what_is_there_in_order() {
    let page = std::fs::read_to_string(deploy("README.md")).unwrap();
    let lines: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let mut copied = Vec::new();
    for line in &lines {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with('-') && word.parse::<u32>().is_err()).collect();
        if let ["sudo", "install" | "cp", from @ .., _to] = &words[..] {
            copied.extend(from.iter().filter(|path| !path.starts_with('/')).copied());
        }
    }
    assert!(copied.len() >= 9, "{copied:?}");
    for path in copied.iter().filter(|path| !path.starts_with("target/")) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path}");
    }
    let unit = std::fs::read_to_string(deploy("systemd/watchkeeper.service")).unwrap();
    let documentation = unit.lines().find_map(|line| line.strip_prefix("Documentation=file:/usr/local/share/doc/watchkeeper/")).unwrap();
    assert!(copied.iter().any(|path| path.ends_with(documentation)), "{documentation} is installed by no line");
    let at = |begins: &str| lines.iter().position(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("{begins}"));
    assert!(
        at("make build") < at("sudo install -m 755") && at("sudo install -m 644 deploy/systemd/daemon.toml") < at("sudo systemctl enable")
    );
}

#[test]
fn what_the_trial_installation_mounts_is_there() {
    let compose = std::fs::read_to_string(deploy("docker/compose.yaml")).unwrap();
    let mounted: Vec<&str> = compose.lines().filter_map(|line| line.trim().strip_prefix("- ")?.strip_suffix(":ro")).collect();
    assert_eq!(mounted.len(), 5, "{mounted:?}");
    for mount in mounted {
        let (from, to) = mount.split_once(':').unwrap();
        assert!(deploy("docker").join(from).exists() && to.starts_with('/'), "{mount}");
    }
}
