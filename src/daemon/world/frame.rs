//! What a World is built with beside its sources.

use std::sync::Arc;

use watchkeeper_engine::event::Settings;
use watchkeeper_engine::source::SourceFile;

use crate::config::Config;

/// What a World is built with beside its sources.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The daemon's configuration.
    pub config: Arc<Config>,
    /// Its text, for faults that only show against the rules.
    pub config_file: Arc<SourceFile>,
}

impl Frame {
    /// What the configuration gives the engine.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::new(Settings { last_resort: self.config.mail.to.clone() })
    }
}
