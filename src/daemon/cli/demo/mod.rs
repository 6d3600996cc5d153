//! `demo`: a recorded day of the small shop, at speed, in a folder of its own. The real pipeline, store, rules, CMDB and mails; only the clock is moved by hand.

mod day;
mod screen;
mod stage;
mod topic;

use std::fs;
use std::path::{Path, PathBuf};

use watchkeeper_engine::words::Reason;

use crate::app::{self, Failure, Init};

use screen::Screen;
use stage::Stage;

/// What stands in the folder, by its path there.
const FILES: &[(&str, &str)] = &[
    ("rules/holidays/berlin.ics", include_str!("../../../../rules/holidays/berlin.ics")),
    ("rules/shop.yaml", include_str!("../../../../rules/shop.yaml")),
    ("rules/tests/outages.yaml", include_str!("../../../../rules/tests/outages.yaml")),
    ("rules/tests/rules.yaml", include_str!("../../../../rules/tests/rules.yaml")),
    ("cmdb/shop.yaml", include_str!("../../../../cmdb/shop.yaml")),
];

const CONFIG: &str = "\
# The demo's daemon: `watchkeeper run --config` this file serves what the recorded day left behind.
[server]
listen = \"127.0.0.1:9080\"

[mail]
from = \"Watchkeeper <watch@example.org>\"
to = [\"duty@example.org\"]

[mail.file]
dir = \"outbox\"
";

/// What happens after the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The folder is removed.
    Clean,
    /// The folder is left to be looked at.
    Keep,
    /// A daemon serves it until it is stopped; then it is removed.
    Serve,
    /// The same, and it is left.
    ServeAndKeep,
}

impl After {
    /// What is wanted. A folder that somebody named is theirs, and stays.
    pub(super) fn of(dir: Option<&Path>, keep: bool, serve: bool) -> After {
        match (serve, keep || dir.is_some()) {
            (false, false) => After::Clean,
            (false, true) => After::Keep,
            (true, false) => After::Serve,
            (true, true) => After::ServeAndKeep,
        }
    }
}

/// Plays the day into `folder`, or into a new one below the system's folder for temporary files; its last alert goes over `broker`, where there is one. A folder that is
/// to be removed is left where something failed, so that it can be looked at.
///
/// # Errors
/// The folder cannot be written or is not empty; or what a daemon would end for.
pub(super) fn demo(folder: Option<PathBuf>, after: After, broker: Option<&str>) -> Result<(), Failure> {
    let folder = folder.unwrap_or_else(|| std::env::temp_dir().join(format!("watchkeeper-demo-{}", std::process::id())));
    lay_out(&folder)?;
    let config = folder.join("daemon.toml");
    let mut screen = Screen::new();
    let mut stage = Stage::open(&config, day::begin())?;
    screen.headline(&format!("A Tuesday of a small shop, {} CIs in its CMDB. All of it happens in {}", stage.items(), folder.display()));
    day::play(&mut stage, &mut screen)?;
    if let Some(broker) = broker {
        topic::play(&mut stage, &mut screen, &app::configuration(&config)?.0, broker)?;
    }
    let told = stage.told().to_vec();
    let incidents = stage.incidents()?;
    stage.close()?;
    let page = incidents
        .iter()
        .find(|incident| incident.reopened > 0)
        .or(incidents.first())
        .map(|incident| incident.id.to_string())
        .unwrap_or_default();
    let opened = told.iter().find(|told| told.reason == Reason::Opened).map(|told| told.file.clone()).unwrap_or_default();
    let digest = told.iter().find(|told| told.reason == Reason::Digest).map(|told| told.file.clone()).unwrap_or_default();
    let counted = incidents.iter().filter(|incident| incident.parent.is_none()).count();
    screen.close(&format!("The day is over: {counted} incidents, {} mails.", told.len()));
    if after == After::Clean {
        screen.say(
            "
Nothing of it is left. To look at what it made:
  watchkeeper demo --keep     leaves its folder, with the mails and the rules, and says what is where
  watchkeeper demo --serve    leaves a daemon running on it until Ctrl-C, with a page for each incident
",
        );
        return remove(&folder);
    }
    let outbox = folder.join("outbox");
    let program = std::env::current_exe().map_or_else(|_| "watchkeeper".to_owned(), |path| path.display().to_string());
    let config = config.display();
    screen.say(&format!(
        "
Look at
  the mails    {outbox}
               {opened}   what woke the network team
               {digest}   what could wait
  the rules    {rules}   what decided; `{program} test {folder}` runs their tests
  the page     http://127.0.0.1:9080/i/{page}   while the demo's daemon runs:
               {program} run --config {config}

Your first alert, in another terminal while it runs:
  {program} send --config {config} alertname=HostDown instance=web-07 severity=critical
Its mail lies in the folder of mails 30 seconds later: causes and symptoms get that long to meet.
",
        outbox = outbox.display(),
        rules = folder.join("rules/shop.yaml").display(),
        folder = folder.display(),
    ));
    match after {
        After::Clean | After::Keep => Ok(()),
        After::Serve | After::ServeAndKeep => {
            let end = if after == After::Serve { "; then the folder is removed" } else { "" };
            screen.say(&format!("Serving http://127.0.0.1:9080/i/{page} until Ctrl-C{end}.\n"));
            app::run(&folder.join("daemon.toml"), Init::No)?;
            if after == After::Serve { remove(&folder) } else { Ok(()) }
        }
    }
}

fn remove(folder: &Path) -> Result<(), Failure> {
    fs::remove_dir_all(folder).map_err(|error| Failure { code: 74, text: format!("failed to remove {}: {error}", folder.display()) })
}

fn lay_out(folder: &Path) -> Result<(), Failure> {
    let fault = |path: &Path, error: std::io::Error| Failure { code: 74, text: format!("failed to write {}: {error}", path.display()) };
    if folder.join("daemon.toml").exists() {
        return Err(Failure {
            code: 64,
            text: format!("{} holds a daemon.toml already: the demo wants a folder of its own", folder.display()),
        });
    }
    for (inner, text) in FILES.iter().chain([&("daemon.toml", CONFIG)]) {
        let path = folder.join(inner);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| fault(parent, error))?;
        fs::write(&path, text).map_err(|error| fault(&path, error))?;
    }
    Ok(())
}
