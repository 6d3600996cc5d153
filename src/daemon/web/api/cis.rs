//! `/api/v1/cis`: items of the CMDB in force, what they carry, and what could be wrong with them.

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};

use watchkeeper_engine::cmdb::walk::{self, Reached};
use watchkeeper_engine::cmdb::{Ci, Cmdb, MinUp};
use watchkeeper_engine::ids::{CiNo, MAIN_REALM};
use watchkeeper_engine::words::{Health, Level, Means};

use super::paging::{LIST, Paging};
use super::{no_id, pairs, record, text_or_null, time};
use crate::read::live;
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::query::Query;

/// Items that an answer about impact or causes lists; the rest is counted.
const REACHED_MAX: usize = 1_000;

/// `GET /api/v1/cis`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    let known = [&LIST[..], &["class", "owner", "environment", "criticality", "source", "q"]].concat();
    let query = Query::of(&uri, &known)?;
    let paging = Paging::of(&query, &["id"])?;
    let criticalities = query.words("criticality", Level::WORDS, Level::from_word)?;
    let texts = |name| query.all(name).map(str::to_lowercase).collect::<Vec<_>>();
    let (classes, owners, environments, sources) = (texts("class"), texts("owner"), texts("environment"), texts("source"));
    let words = query.get("q").unwrap_or_default().to_lowercase();
    let among = |wanted: &[String], value: &str| wanted.is_empty() || wanted.contains(&value.to_lowercase());
    let says = |text: &str| text.to_lowercase().contains(&words);
    let after = paging.after_key()?;
    let world = app.world();
    let mut items: Vec<(Vec<u8>, &Ci)> = world
        .cmdb
        .items()
        .filter(|ci| {
            among(&classes, &ci.class)
                && among(&owners, &ci.owner)
                && among(&environments, &ci.environment)
                && among(&sources, &ci.source)
                && (criticalities.is_empty() || criticalities.contains(&ci.criticality))
                && (words.is_empty() || says(&ci.id) || ci.aliases.iter().any(|alias| says(alias)) || says(&ci.note))
        })
        .map(|ci| (ci.id.to_lowercase().into_bytes(), ci))
        .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
        .collect();
    items.sort_by(|a, b| a.0.cmp(&b.0));
    let has_more = items.len() > paging.limit;
    items.truncate(paging.limit);
    let next = items.last().filter(|_| has_more).map(|(key, _)| key.clone());
    let shown = items.iter().map(|(_, ci)| item(ci)).collect();
    Ok(axum::Json(paging.by_keys(shown, next.as_deref())))
}

/// `GET /api/v1/cis/ID`: by id or alias.
pub(super) async fn show(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    Query::of(&uri, &[])?;
    let world = app.world();
    let (no, ci) = find(&world.cmdb, &id)?;
    let now = live::ci(&app.writer, no).await?;
    let named = |nos: &mut dyn Iterator<Item = CiNo>| nos.map(|no| world.cmdb.id(no).to_owned()).collect::<Vec<_>>();
    let mut json = item(ci);
    if let Value::Object(fields) = &mut json {
        fields.insert("health".to_owned(), now.health.word().into());
        fields.insert("alerts".to_owned(), json!(now.alerts.iter().map(ToString::to_string).collect::<Vec<_>>()));
        fields.insert("incidents".to_owned(), json!(now.incidents.iter().map(ToString::to_string).collect::<Vec<_>>()));
        fields.insert("members".to_owned(), json!(named(&mut world.cmdb.members_of(no))));
        fields.insert("groups".to_owned(), json!(named(&mut world.cmdb.groups_of(no))));
        fields.insert("services".to_owned(), json!(named(&mut walk::carried(&world.cmdb, no).into_iter())));
        let contract = world.cmdb.contract_covering(no);
        fields.insert("contract".to_owned(), json!(contract.map(|contract| json!({"id": contract.id, "vendor": contract.vendor}))));
    }
    Ok(record(world.cmdb.version(), json))
}

/// `GET /api/v1/cis/ID/impact`: what would be hurt if it were down, with all else as it is.
pub(super) async fn impact(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    Query::of(&uri, &[])?;
    let (no, id) = {
        let world = app.world();
        let (no, ci) = find(&world.cmdb, &id)?;
        (no, ci.id.clone())
    };
    let answer = app
        .writer
        .ask(move |state, world, _| {
            let mut health = state.health(MAIN_REALM).clone();
            health.add_down(&world.cmdb, no);
            let services: Vec<Value> = walk::impact(&world.cmdb, &health, &[(no, Means::Down)])
                .iter()
                .map(|hit| service(&world.cmdb, hit.service, hit.health))
                .collect();
            let reached = walk::downstream(&world.cmdb, &health, no);
            (services, way(&world.cmdb, &reached), reached.len())
        })
        .await?;
    let (services, items, total) = answer;
    Ok(axum::Json(json!({"ci": id, "services": services, "items": items, "items_total": total})))
}

/// `GET /api/v1/cis/ID/causes`: the items whose fault would reach it, nearest first, with what fires on each.
pub(super) async fn causes(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<axum::Json<Value>, ApiError> {
    Query::of(&uri, &[])?;
    let (no, id) = {
        let world = app.world();
        let (no, ci) = find(&world.cmdb, &id)?;
        (no, ci.id.clone())
    };
    let (items, total) = app
        .writer
        .ask(move |state, world, _| {
            let reached = walk::upstream(&world.cmdb, state.health(MAIN_REALM), no);
            let mut items = way(&world.cmdb, &reached);
            for (item, reached) in items.iter_mut().zip(&reached) {
                let alerts: Vec<Value> = state
                    .alerts_on(reached.ci)
                    .map(|alert| json!({"id": alert.id.to_string(), "name": alert.name, "severity": alert.severity.word(), "since": time(alert.started_at)}))
                    .collect();
                if let Value::Object(fields) = item {
                    fields.insert("alerts".to_owned(), Value::Array(alerts));
                }
            }
            (items, reached.len())
        })
        .await?;
    Ok(axum::Json(json!({"ci": id, "items": items, "items_total": total})))
}

fn find<'a>(cmdb: &'a Cmdb, id: &str) -> Result<(CiNo, &'a Ci), ApiError> {
    let no = cmdb.find(id).ok_or_else(|| no_id("item", id))?;
    cmdb.ci(no).map(|ci| (no, ci)).ok_or_else(|| no_id("item", id))
}

fn item(ci: &Ci) -> Value {
    let relations: Vec<Value> = ci.relations.iter().map(|edge| json!({"relation": edge.relation.word(), "to": edge.to})).collect();
    let min_up = match ci.min_up {
        MinUp::Count(count) => count.to_string(),
        MinUp::Percent(percent) => format!("{percent}%"),
    };
    json!({
        "id": ci.id,
        "class": text_or_null(&ci.class),
        "owner": text_or_null(&ci.owner),
        "domain": text_or_null(&ci.domain),
        "environment": text_or_null(&ci.environment),
        "criticality": ci.criticality.word(),
        "tier": text_or_null(&ci.tier),
        "aliases": ci.aliases,
        "labels": pairs(&ci.labels),
        "stakeholders": ci.stakeholders,
        "min_up": min_up,
        "relations": relations,
        "note": text_or_null(&ci.note),
        "source": ci.source,
    })
}

fn service(cmdb: &Cmdb, no: CiNo, health: Health) -> Value {
    let ci = cmdb.ci(no);
    json!({
        "id": cmdb.id(no),
        "tier": ci.map_or(Value::Null, |ci| text_or_null(&ci.tier)),
        "criticality": ci.map(|ci| ci.criticality.word()),
        "health": health.word(),
    })
}

fn way(cmdb: &Cmdb, reached: &[Reached]) -> Vec<Value> {
    let item = |reached: &Reached| json!({"ci": cmdb.id(reached.ci), "hops": reached.hops, "from": cmdb.id(reached.from), "relation": reached.relation.word()});
    reached.iter().take(REACHED_MAX).map(item).collect()
}
