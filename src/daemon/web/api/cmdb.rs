//! `/api/v1/cmdb/…`: what a reload of the files would change, which sources the CMDB has, and imports of further ones.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use watchkeeper_engine::cmdb::diff::Diff;
use watchkeeper_engine::cmdb::files::FILES;
use watchkeeper_engine::limits::SOURCE_BYTES_MAX;

use crate::diagnostics::{Colour, Findings, Format};
use crate::ingest::http::read_body;
use crate::view::{CmdbSource, CmdbSources, DiffRowView, DiffView, ImportedView};
use crate::web::App;
use crate::web::describe::{Parameter, names};
use crate::web::error::ApiError;
use crate::web::query::{Query, Switch, unknown};
use crate::world::{Confirmed, IMPORTS_MAX, Import, ImportFormat, ImportWish, Imported, Refusal, Run};

/// Formats of an import.
const FORMATS: [&str; 2] = ["yaml", "csv"];

/// Parameters of an import.
pub(super) const PARAMETERS: [Parameter; 4] = [
    Parameter::text("source", "The name of the source, such as netbox; `files` is the folder of CMDB files."),
    Parameter::word("format", "How the body is written: YAML as in CMDB files, or CSV with a CI a row.", &FORMATS),
    Parameter::flag("dry_run", "Only says what would change."),
    Parameter::flag("confirm", "Allows a loss: more than a fifth of the CIs of a source, or all that it brought."),
];

/// Lines of a difference that an answer about an import lists; the rest is counted.
const ROWS_SHOWN: usize = 1_000;

/// `GET /api/v1/cmdb/diff`: what a reload would change in the CMDB; changes nothing. 422 with all faults where the files have some.
pub(super) async fn diff(State(app): State<App>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    Ok(match app.files.compare().await {
        Ok(comparison) => axum::Json(DiffView::of(&comparison.diff)).into_response(),
        Err(findings) => (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(findings.view())).into_response(),
    })
}

/// `GET /api/v1/cmdb/sources`: who brought the CIs, and how many.
pub(super) async fn sources(State(app): State<App>, uri: Uri) -> Result<axum::Json<CmdbSources>, ApiError> {
    Query::of(&uri, &[])?;
    let world = app.world();
    let mut sources: BTreeMap<&str, u64> = BTreeMap::from([(FILES, 0)]);
    for ci in world.cmdb.items() {
        *sources.entry(ci.source.as_str()).or_default() += 1;
    }
    let source = |(source, items): (&str, u64)| CmdbSource { source: source.to_owned(), items };
    Ok(axum::Json(CmdbSources { version: world.cmdb.version(), items: sources.into_iter().map(source).collect(), next: None }))
}

/// `POST /api/v1/cmdb/import`: the body is all that a source holds, and replaces what it brought before.
pub(super) async fn import(State(app): State<App>, uri: Uri, request: Request<Body>) -> Result<axum::Json<ImportedView>, ApiError> {
    let query = Query::of(&uri, &names(&[&PARAMETERS]))?;
    let format = match query.get("format").unwrap_or(FORMATS[0]) {
        "yaml" => ImportFormat::Yaml,
        "csv" => ImportFormat::Csv,
        other => return Err(unknown("value of format", other, &FORMATS)),
    };
    let run = if query.flag("dry_run", Switch::Off)? == Switch::On { Run::Dry } else { Run::Real };
    let confirmed = if query.flag("confirm", Switch::Off)? == Switch::On { Confirmed::Yes } else { Confirmed::No };
    let source = query.get("source").ok_or_else(|| ApiError::bad("source: expected the name of the source").with("place", "source"))?;
    // The name is judged before the body is taken in.
    let import = Import::new(source, format, String::new()).map_err(|expected| wrong_name(&expected))?;
    let bytes_max = app.config.limits.body_bytes.min(SOURCE_BYTES_MAX);
    let body = read_body(request, bytes_max, &app.bytes_in_flight).await?;
    let text = String::from_utf8(body.bytes.to_vec()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ApiError::bad(format!("body: expected UTF-8, byte {at} is none")).with("place", "body")
    })?;
    let import = Import { file: watchkeeper_engine::source::SourceFile::new(import.file.path, text), source: import.source };
    let wish = ImportWish { import, run, confirmed };
    match app.files.import(wish).await {
        Ok(imported) => Ok(axum::Json(answer(source, run, &imported))),
        Err(refusal) => Err(refused(&refusal)),
    }
}

fn answer(source: &str, run: Run, imported: &Imported) -> ImportedView {
    let (items, left_out) = rows(&imported.diff);
    ImportedView {
        source: source.to_owned(),
        dry_run: run == Run::Dry,
        changed: imported.changed,
        version: imported.cmdb,
        summary: imported.diff.summary(),
        items,
        left_out,
        unconfirmed: imported.unconfirmed.as_ref().map(ToString::to_string),
        warnings: imported.warnings.view().findings,
    }
}

fn refused(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::Faulty(findings) => faulty(findings),
        Refusal::Unconfirmed { loss, diff } => {
            let (items, left_out) = rows(diff);
            ApiError::new(StatusCode::CONFLICT, format!("{loss}: with confirm=true, or --confirm on the command line; nothing was changed"))
                .with("confirm", "confirm=true")
                .with("summary", diff.summary())
                .with("items", super::json(&items))
                .with("left_out", left_out)
        }
        Refusal::TooManySources => {
            ApiError::new(StatusCode::CONFLICT, format!("there are {IMPORTS_MAX} sources already; empty one that is not kept any more"))
        }
        Refusal::Busy(full) => (*full).into(),
    }
}

/// 422 with all faults, each with its place.
fn faulty(findings: &Findings) -> ApiError {
    let drawn = findings.render(Format::Text, Colour::Plain);
    let detail = format!("{drawn}{}; nothing was changed", findings.counted());
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("findings", super::json(&findings.view().findings))
}

fn wrong_name(expected: &str) -> ApiError {
    ApiError::bad(format!("source: expected {expected}")).with("place", "source").with("expected", expected)
}

fn rows(diff: &Diff) -> (Vec<DiffRowView>, u64) {
    let rows = diff.rows();
    let left_out = rows.len().saturating_sub(ROWS_SHOWN) as u64;
    (rows.into_iter().take(ROWS_SHOWN).map(DiffRowView::of).collect(), left_out)
}
