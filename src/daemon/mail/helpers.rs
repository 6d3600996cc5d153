//! The helpers of our templates: times in the reader's zone, lists, and blocks that write text or HTML from the same words.

use std::io;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason, Renderable, ScopedJson,
    html_escape,
};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use watchkeeper_engine::time::{Span, Time};

use super::layout::{self, MARK, UNBROKEN, WHOLE};
use super::view;

/// Bytes that one part may have, and one block within it. HTML stays below 30 KB by itself; this stops a template that multiplies lists.
pub(super) const PART_BYTES_MAX: usize = 256 * 1024;
/// Days after which a moment is written with its year.
const YEAR_AFTER_DAYS: i64 = 300;
/// What follows the hidden preview text, so that no client shows the first lines twice.
const PREVIEW_TAIL: &str = "&#847;&zwnj;&nbsp;";

/// What the blocks write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The text part.
    Text,
    /// The HTML part.
    Html,
    /// A hook's JSON. Its blocks write as in text.
    Json,
}

/// Gives a registry every helper of ours.
pub(super) fn register(registry: &mut Handlebars<'static>, format: Format) {
    let inline: [(&str, InlineFn); 11] = [
        ("clock", clock),
        ("day", day),
        ("between", between),
        ("span", span),
        ("list", list),
        ("count", count),
        ("plural", plural),
        ("upper", upper),
        ("plain", plain),
        ("cut", cut),
        ("calm", calm),
    ];
    for (name, value) in inline {
        registry.register_helper(name, Box::new(Inline(value)));
    }
    if format == Format::Html {
        registry.register_helper("between", Box::new(Inline(|helper, context| between(helper, context).map(unbroken))));
        registry.register_helper("span", Box::new(Inline(|helper, context| span(helper, context).map(unbroken))));
    }
    let blocks: [(&str, BlockFn, BlockFn); 6] = [
        ("verdict", text_paragraph, html_verdict),
        ("say", text_paragraph, html_say),
        ("rows", text_rows, html_rows),
        ("row", text_row, html_row),
        ("actions", text_rows, html_actions),
        ("line", text_line, html_line),
    ];
    for (name, text, html) in blocks {
        let write = match format {
            Format::Text | Format::Json => text,
            Format::Html => html,
        };
        registry.register_helper(name, Box::new(Block(write)));
    }
    let marks: [(&str, MarkFn, MarkFn); 3] =
        [("button", text_button, html_button), ("link", text_link, html_link), ("ref", text_ref, html_ref)];
    for (name, text, html) in marks {
        let write = match format {
            Format::Text | Format::Json => text,
            Format::Html => html,
        };
        registry.register_helper(name, Box::new(Mark(write)));
    }
    for unwanted in ["log", "lookup", "raw"] {
        registry.unregister_helper(unwanted);
    }
}

type InlineFn = fn(&Helper<'_>, &Context) -> Result<String, RenderError>;
type BlockFn = fn(&Helper<'_>, &str) -> Result<String, RenderError>;
type MarkFn = fn(&Helper<'_>, &Context) -> Result<String, RenderError>;

struct Inline(InlineFn);

impl HelperDef for Inline {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived(Value::String((self.0)(helper, context)?)))
    }
}

struct Block(BlockFn);

impl HelperDef for Block {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let mut inner = Bounded::default();
        if let Some(template) = helper.template() {
            template.render(registry, context, render, &mut inner)?;
        }
        out.write(&(self.0)(helper, &inner.text)?)?;
        Ok(())
    }
}

struct Mark(MarkFn);

impl HelperDef for Mark {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        out.write(&(self.0)(helper, context)?)?;
        Ok(())
    }
}

/// What a template writes, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    /// What was written.
    pub(super) text: String,
}

impl Bounded {
    fn add(&mut self, piece: &str) -> io::Result<()> {
        if self.text.len() + piece.len() > PART_BYTES_MAX {
            return Err(io::Error::other(format!("it writes more than {PART_BYTES_MAX} bytes")));
        }
        self.text.push_str(piece);
        Ok(())
    }
}

impl Output for Bounded {
    fn write(&mut self, piece: &str) -> io::Result<()> {
        self.add(piece)
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.add(piece)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `03:02` today, `yesterday 03:02`, else with its day: in the zone of the reader.
pub fn clock_words(at: Time, now: Time, zone: &TimeZone) -> String {
    let (at, now) = (at.in_zone(zone), now.in_zone(zone));
    let time = at.strftime("%H:%M");
    if at.date() == now.date() {
        time.to_string()
    } else if at.date().tomorrow().is_ok_and(|next| next == now.date()) {
        format!("yesterday {time}")
    } else {
        format!("{} {time}", day_words(at, now))
    }
}

fn day_words(at: DateTime, now: DateTime) -> String {
    if at.date() == now.date() {
        return "today".to_owned();
    }
    let days = (now.date() - at.date()).get_days();
    let format = if i64::from(days).abs() > YEAR_AFTER_DAYS { "%a %-d %b %Y" } else { "%a %-d %b" };
    at.strftime(format).to_string()
}

fn clock(helper: &Helper<'_>, context: &Context) -> Result<String, RenderError> {
    let at = moment(helper, 0)?;
    Ok(if at == Time::default() { String::new() } else { clock_words(at, now(context), &zone(context)) })
}

fn day(helper: &Helper<'_>, context: &Context) -> Result<String, RenderError> {
    let (at, zone) = (moment(helper, 0)?, zone(context));
    Ok(if at == Time::default() { String::new() } else { day_words(at.in_zone(&zone), now(context).in_zone(&zone)) })
}

fn between(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    Ok((moment(helper, 1)? - moment(helper, 0)?).words())
}

fn span(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    Ok(Span(number(helper, 0)?).words())
}

fn unbroken(words: String) -> String {
    words.replace(' ', &UNBROKEN.to_string())
}

fn list(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    let value = value(helper, 0)?;
    let Some(all) = value.as_array() else { return Err(wanted(helper, "a list of texts")) };
    let names: Vec<&str> = all.iter().filter_map(Value::as_str).filter(|one| !one.is_empty()).collect();
    let more = helper.hash_get("more").and_then(|more| more.value().as_i64()).unwrap_or(0);
    Ok(listed(&names, more))
}

/// `a`, `a and b`, `a, b and c`, `a, b and 18 more`.
pub(super) fn listed(names: &[&str], more: i64) -> String {
    match (names, more) {
        ([], 0) => String::new(),
        ([], more) => format!("{more} more"),
        (all, 1..) => format!("{} and {more} more", all.join(", ")),
        ([only], _) => (*only).to_owned(),
        ([most @ .., last], _) => format!("{} and {last}", most.join(", ")),
    }
}

fn count(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    let (many, one) = (counted(helper, 0)?, text(helper, 1)?);
    let plural = match helper.param(2) {
        Some(given) => given.value().as_str().unwrap_or_default().to_owned(),
        None => format!("{one}s"),
    };
    Ok(format!("{many} {}", if many == 1 { one } else { plural }))
}

fn plural(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    text(helper, if counted(helper, 0)? == 1 { 1 } else { 2 })
}

fn upper(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    Ok(text(helper, 0)?.to_uppercase())
}

fn plain(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    Ok(text(helper, 0)?.replace('_', " "))
}

fn cut(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    Ok(view::cut(&text(helper, 0)?, usize::try_from(number(helper, 1)?).unwrap_or(0)))
}

/// A text in which a chat service finds nobody to call, no link and no markup: alert text is a stranger's.
fn calm(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    Ok(text(helper, 0)?.replace('@', "@\u{200b}").replace("](", "]\u{200b}(").replace('<', "\u{2039}").replace('>', "\u{203a}"))
}

fn text_paragraph(_: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    let words = layout::words(inner);
    Ok(if words.is_empty() { String::new() } else { format!("{MARK}{}{MARK}", layout::paragraph(&words)) })
}

fn text_rows(_: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    let lines = layout::records(inner);
    Ok(if lines.is_empty() { String::new() } else { format!("{MARK}\n{lines}\n{MARK}") })
}

fn text_row(helper: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    let row = layout::row(&text(helper, 0)?, inner);
    Ok(if row.is_empty() { row } else { format!("{MARK}{row}{MARK}") })
}

fn text_line(helper: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    Ok(format!("{MARK}{WHOLE}{}{MARK}", view::cut(&layout::words(inner), usize::try_from(number(helper, 0)?).unwrap_or(0))))
}

fn html_verdict(_: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    let words = layout::words(inner);
    if words.is_empty() {
        return Ok(String::new());
    }
    let tail = PREVIEW_TAIL.repeat(40);
    Ok(format!(
        "<div class=\"preview\" aria-hidden=\"true\" style=\"display:none;max-height:0;overflow:hidden\">{words}{tail}</div>\n\
         <h1 class=\"verdict\" style=\"margin:0 0 12px;font-size:20px;line-height:28px\">{words}</h1>\n"
    ))
}

fn html_say(_: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    let words = layout::words(inner);
    Ok(if words.is_empty() { String::new() } else { format!("<p style=\"margin:0 0 12px;font-size:16px;line-height:24px\">{words}</p>\n") })
}

fn html_rows(_: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    let rows = inner.trim();
    Ok(if rows.is_empty() {
        String::new()
    } else {
        format!("<table role=\"presentation\" class=\"rows\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\">\n{rows}\n</table>\n")
    })
}

fn html_row(helper: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    let words = layout::words(inner);
    if words.is_empty() {
        return Ok(String::new());
    }
    let label = html_escape(&text(helper, 0)?);
    Ok(format!(
        "<tr><th scope=\"row\" align=\"left\" valign=\"top\" style=\"padding:8px 12px 8px 0;font-size:16px;line-height:24px\">{label}</th>\
         <td valign=\"top\" style=\"padding:8px 0;font-size:16px;line-height:24px\">{words}</td></tr>\n"
    ))
}

fn html_actions(_: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    let buttons = layout::words(inner);
    Ok(if buttons.is_empty() { String::new() } else { format!("<p class=\"actions\" style=\"margin:0 0 12px\">{buttons}</p>\n") })
}

fn html_line(helper: &Helper<'_>, inner: &str) -> Result<String, RenderError> {
    html_say(helper, inner)
}

fn text_button(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    let (label, url) = button(helper)?;
    Ok(if url.is_empty() { String::new() } else { format!("{MARK}{WHOLE}{label} {url}{MARK}") })
}

fn html_button(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    let (label, url) = button(helper)?;
    Ok(if url.is_empty() {
        String::new()
    } else {
        format!(
            "<a class=\"button\" href=\"{}\" style=\"display:inline-block;min-width:44px;margin:0 8px 8px 0;padding:10px 16px;\
             border-radius:6px;font-size:16px;line-height:24px;font-weight:bold;text-decoration:none\">{}</a>",
            html_escape(&url),
            html_escape(&label)
        )
    })
}

fn button(helper: &Helper<'_>) -> Result<(String, String), RenderError> {
    let (label, url) = (text(helper, 0)?, view::web(&text(helper, 1)?));
    let anchor = helper.hash_get("anchor").and_then(|anchor| anchor.value().as_str()).unwrap_or_default();
    Ok((label, if anchor.is_empty() || url.is_empty() { url } else { format!("{url}#{anchor}") }))
}

fn text_link(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    Ok(view::web(&text(helper, 0)?))
}

fn html_link(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    let url = html_escape(&view::web(&text(helper, 0)?));
    Ok(if url.is_empty() { url } else { format!("<a class=\"link\" href=\"{url}\">{url}</a>") })
}

fn text_ref(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    text(helper, 0)
}

fn html_ref(helper: &Helper<'_>, context: &Context) -> Result<String, RenderError> {
    let id = html_escape(&text(helper, 0)?);
    let base = html_escape(context.data()["base"].as_str().unwrap_or_default());
    Ok(if id.is_empty() { id } else { format!("<a class=\"ref\" href=\"{base}/i/{id}\">{id}</a>") })
}

fn now(context: &Context) -> Time {
    Time(context.data()["now"].as_i64().unwrap_or(0))
}

fn zone(context: &Context) -> TimeZone {
    view::zone(context.data()["zone"].as_str().unwrap_or_default()).1
}

fn value<'a>(helper: &'a Helper<'_>, at: usize) -> Result<&'a Value, RenderError> {
    helper.param(at).map(handlebars::PathAndJson::value).ok_or_else(|| wanted(helper, "more values"))
}

fn text(helper: &Helper<'_>, at: usize) -> Result<String, RenderError> {
    value(helper, at)?.as_str().map(str::to_owned).ok_or_else(|| wanted(helper, "a text"))
}

fn number(helper: &Helper<'_>, at: usize) -> Result<i64, RenderError> {
    value(helper, at)?.as_i64().ok_or_else(|| wanted(helper, "a number"))
}

fn moment(helper: &Helper<'_>, at: usize) -> Result<Time, RenderError> {
    number(helper, at).map(Time)
}

fn counted(helper: &Helper<'_>, at: usize) -> Result<i64, RenderError> {
    let value = value(helper, at)?;
    value
        .as_array()
        .map(|all| i64::try_from(all.len()).unwrap_or(i64::MAX))
        .or_else(|| value.as_i64())
        .ok_or_else(|| wanted(helper, "a number or a list"))
}

fn wanted(helper: &Helper<'_>, what: &str) -> RenderError {
    RenderErrorReason::Other(format!("`{}` wants {what}", helper.name())).into()
}
