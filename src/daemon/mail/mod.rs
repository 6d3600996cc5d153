//! Mails: what a planned message says becomes bytes (templates, a built-in text where one fails), and the bytes leave by a transport.
//!
//! Decides no recipient, no reason and no state; those are frozen in the message. Alert text is hostile here: it is put on one line when
//! it becomes a variable, escaped when it becomes HTML, and encoded when it becomes a header.

mod address;
mod builtin;
mod check;
mod helpers;
mod hook_body;
mod layout;
mod links;
mod mime;
mod render;
mod settings;
mod shown;
mod smtp;
mod subject;
mod syntax;
mod templates;
mod test_mail;
mod transport;
mod variables;
mod view;

pub use address::{BadAddress, mailbox};
pub use helpers::clock_words;
pub use hook_body::HookText;
pub use links::{Checked, LINK_LASTS, Link, LinkAction, Links};
pub use render::{RENDER_DEADLINE, Rendered, render, render_within};
pub use settings::MailSettings;
pub use shown::shown;
pub use smtp::{CONNECTIONS, Fault, IDLE_MAX, NoTls, Phase, Shown, SmtpError, SmtpTransport, Watch};
pub use templates::{Templates, shipped};
pub use test_mail::{TestMail, test_mail};
pub use transport::{DeliveryError, FileTransport, Transport};
pub use variables::{Kind, ROOT, Variable, all_helpers, all_names};
pub use view::web as web_address;
