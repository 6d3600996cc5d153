//! `hook test NAME`: one message to a hook as the daemon would send it, and what it answers.

use std::path::Path;
use std::time::Instant;

use watchkeeper_engine::ids::{MessageId, StoreId};
use watchkeeper_engine::model::message::{Channel, Content, Message, Said, Sending};
use watchkeeper_engine::source::nearest;
use watchkeeper_engine::time::Time;
use watchkeeper_engine::words::Reason;
use watchkeeper_store::LinkKey;

use super::print;
use crate::app::{self, Failure};
use crate::hook::Hooks;
use crate::mail::{HookText, MailSettings, Templates, render};
use crate::world::{Confirmed, Sources};

/// Sends the message, and prints what came of it. Asks no daemon.
pub(super) fn run(config: &Path, name: &str, now: Time) -> Result<(), Failure> {
    let (config, _) = app::configuration(config)?;
    let hooks = Hooks::new(&config.outs).map_err(|error| Failure { code: 78, text: format!("failed to {error}") })?;
    let Some(hook) = hooks.get(name) else {
        let hint =
            nearest(name, hooks.names()).map_or_else(|| "daemon.toml has none".to_owned(), |known| format!("did you mean `{known}`?"));
        return Err(Failure { code: 64, text: format!("no [[out]] is named `{name}`; {hint}") });
    };
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    let settings = MailSettings::new(&config.mail.from, &config.server.external_url, StoreId { high, low }, LinkKey::new([0; 32]))
        .map_err(|bad| Failure { code: 78, text: format!("[mail] from: {bad}") })?
        .with_hooks(config.outs.iter().map(HookText::of));
    let sources = Sources::read(&config.files, &Sources::default(), Confirmed::Yes);
    let templates = Templates::load(&crate::mail::shipped(), &sources.templates)
        .map_err(|_| Failure { code: 78, text: "the templates have faults; `watchkeeper check` shows them".to_owned() })?;
    let rendered = render(&message(name, now), &templates, &settings).map_err(|bad| Failure { code: 70, text: bad.to_string() })?;
    if !rendered.fallback.is_empty() {
        print(&format!("  template   FAILED: {}; the daemon's own JSON is sent\n", rendered.fallback));
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure { code: 70, text: format!("no runtime: {error}") })?;
    let began = Instant::now();
    let answer = runtime.block_on(hook.post(&settings.hook_message_id(MessageId(0)), &rendered.bytes, now));
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    match answer {
        Ok(status) => {
            print(&format!("  {name}: {} bytes, answered {} in {took:.1} ms\n", rendered.bytes.len(), status.as_u16()));
            Ok(())
        }
        Err(error) => Err(Failure { code: 1, text: format!("{name}: {error} ({took:.1} ms)") }),
    }
}

fn message(name: &str, now: Time) -> Message {
    let said = "Watchkeeper: test message";
    Message {
        id: MessageId(0),
        incident: None,
        to: Channel::Hook(name).address(),
        reason: Reason::Opened,
        template: Reason::Opened.word().to_owned(),
        subject: said.to_owned(),
        thread: MessageId(0),
        notify_rule: "hook test".to_owned(),
        team: String::new(),
        zone: String::new(),
        planned_at: now,
        content: Content::from(Said {
            now,
            since: now,
            title: "This message was sent by `watchkeeper hook test`".to_owned(),
            first: true,
            ..Said::default()
        }),
        sending: Sending::planned(MessageId(0)),
        problem: None,
    }
}
