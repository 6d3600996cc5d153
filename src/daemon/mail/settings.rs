//! What the configuration gives every message that is rendered.

use std::collections::BTreeMap;

use lettre::Address;
use lettre::message::Mailbox;
use watchkeeper_engine::ids::{IncidentId, MessageId, StoreId};
use watchkeeper_engine::model::message::{Channel, Message};
use watchkeeper_store::LinkKey;

use super::address::{BadAddress, mailbox};
use super::hook_body::HookText;
use super::links::{LinkAction, Links};

/// What the configuration gives every mail.
#[derive(Debug, Clone)]
pub struct MailSettings {
    from: Mailbox,
    external_url: String,
    domain: String,
    store: StoreId,
    links: Links,
    hooks: BTreeMap<String, HookText>,
}

impl MailSettings {
    /// `from` as in `[mail] from`, `external_url` as in `[server] external_url`; Message-IDs carry the sender's domain and the store's id, links are
    /// signed with the store's key.
    ///
    /// # Errors
    /// Where `from` is no address.
    pub fn new(from: &str, external_url: &str, store: StoreId, key: LinkKey) -> Result<MailSettings, BadAddress> {
        let from = mailbox(from)?;
        let domain = from.email.domain().to_ascii_lowercase();
        Ok(MailSettings {
            from,
            external_url: external_url.trim_end_matches('/').to_owned(),
            domain,
            store,
            links: Links::new(key),
            hooks: BTreeMap::new(),
        })
    }

    /// The same, with what each hook's messages are made with.
    #[must_use]
    pub fn with_hooks(mut self, hooks: impl IntoIterator<Item = (String, HookText)>) -> MailSettings {
        self.hooks.extend(hooks);
        self
    }

    /// The same, where every hook's messages are made as if nothing were said of them.
    pub(super) fn without_hooks(mut self) -> MailSettings {
        self.hooks.clear();
        self
    }

    /// What the messages of a hook are made with.
    pub(super) fn hook(&self, name: &str) -> HookText {
        self.hooks.get(name).cloned().unwrap_or_default()
    }

    /// The id of a message at a hook: the same over every retry and restart.
    pub fn hook_message_id(&self, id: MessageId) -> String {
        format!("{id}.{}", self.store)
    }

    /// The address of the daemon's pages, without a slash at its end.
    pub fn external_url(&self) -> &str {
        &self.external_url
    }

    /// The address of a link that lets the reader of `message` do that to `incident`; empty where many read it, because nobody would know who pressed.
    pub fn link(&self, message: &Message, incident: IncidentId, action: LinkAction) -> String {
        if message.channel() != Channel::Mail {
            return String::new();
        }
        format!("{}/a/{}", self.external_url, self.links.token(message, incident, action))
    }

    /// The sender's address: SMTP's envelope has it too.
    pub fn sender(&self) -> Address {
        self.from.email.clone()
    }

    pub(super) fn from(&self) -> &Mailbox {
        &self.from
    }

    /// The Message-ID of a message: the same over every retry and restart.
    pub(super) fn message_id(&self, id: impl std::fmt::Display) -> String {
        format!("<{id}.{}@{}>", self.store, self.domain)
    }
}
