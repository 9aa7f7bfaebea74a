//! What each route does: read the request, ask the engine, answer.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cutover_core::dataplane::Seconds;
use cutover_core::id::{Environment, FlagKey, InstanceId, Subject};
use cutover_core::kpi::Report;
use cutover_core::spec::{self, PlatformKind};
use cutover_core::units::At;
use cutover_engine::api::{
    Accepted, Acted, Action, AppStatus, DeployRequest, HistoryEntry, PROTOCOL, PlanAnswer,
    RampRequest, Refused, RefusedKind, RollbackRequest, StageComparison,
};
use cutover_engine::prune::{PruneAnswer, PruneRequest};
use cutover_engine::tracks::{ExperimentReport, Question, TrackLog};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::door::Peer;
use super::stream::{self, Wanted};
use super::table::{self, Status};
use super::world::World;
use super::{PROTOCOL_HEADER, VERSION_HEADER};
use crate::flags::{Asked, Change, Changed, Edit, Flags, How, Offer, Offered, StaleFlags};

/// What all routes share.
pub(crate) struct Daemon {
    pub(crate) engine: World,
    pub(crate) flags: Flags,
    pub(crate) tracks: Arc<TrackLog>,
    pub(crate) platforms: Vec<PlatformKind>,
    pub(crate) since: At,
    pub(crate) stop: CancellationToken,
}

pub(crate) type Shared = Arc<Daemon>;

/// A refusal as an answer.
pub(crate) struct No(Refused);

impl From<Refused> for No {
    fn from(refused: Refused) -> No {
        No(refused)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = match self.0.kind {
            RefusedKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            RefusedKind::Usage => StatusCode::BAD_REQUEST,
            RefusedKind::Spec | RefusedKind::Preflight => StatusCode::UNPROCESSABLE_ENTITY,
            RefusedKind::Held | RefusedKind::Frozen => StatusCode::CONFLICT,
        };
        (status, Json(self.0)).into_response()
    }
}

fn usage(message: impl Into<String>) -> No {
    No(Refused { kind: RefusedKind::Usage, message: message.into(), help: None })
}

type Answer<T> = Result<Json<T>, No>;

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, No> {
    serde_json::from_slice(body)
        .map_err(|error| usage(format!("the request cannot be read: {error}")))
}

fn subject(text: &str) -> Result<Subject, No> {
    text.parse().map_err(|error| usage(format!("{error}")))
}

impl Daemon {
    /// Refuses specs for platforms that this build does not have, and those that make no sense:
    /// whoever wrote the request need not have checked it.
    fn check(&self, request: &DeployRequest) -> Result<(), No> {
        self.supports(request.spec.platform)?;
        let problems = spec::problems(&request.spec);
        let Some(first) = problems.first() else {
            return Ok(());
        };
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        Err(No(Refused {
            kind: RefusedKind::Spec,
            message: format!("the spec is not valid: {}", messages.join("; ")),
            help: first.help.clone(),
        }))
    }

    fn supports(&self, platform: PlatformKind) -> Result<(), No> {
        if self.platforms.contains(&platform) {
            return Ok(());
        }
        let name = match platform {
            PlatformKind::Local => "local",
            PlatformKind::Docker => "docker",
            PlatformKind::Kubernetes => "kubernetes",
        };
        Err(No(Refused {
            kind: RefusedKind::Usage,
            message: format!("platform {name} is not in this build"),
            help: Some("write `platform: local`, or leave it out".into()),
        }))
    }

    pub(crate) async fn own_status(&self) -> Status {
        Status {
            pid: std::process::id(),
            version: crate::cli::VERSION.to_owned(),
            protocol: PROTOCOL,
            since: self.since,
            apps: self.engine.status(None).await.map_or(0, |apps| apps.len()),
        }
    }
}

pub(crate) async fn deploy(
    State(daemon): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Bytes,
) -> Answer<Accepted> {
    let request: DeployRequest = read(&body)?;
    daemon.check(&request)?;
    Ok(Json(daemon.engine.deploy(request, &peer.name).await?))
}

pub(crate) async fn rollback(
    State(daemon): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Bytes,
) -> Answer<Accepted> {
    let request: RollbackRequest = read(&body)?;
    Ok(Json(daemon.engine.rollback(request, &peer.name).await?))
}

pub(crate) async fn ramp(
    State(daemon): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Bytes,
) -> Answer<Accepted> {
    let request: RampRequest = read(&body)?;
    Ok(Json(daemon.engine.ramp(request, &peer.name).await?))
}

pub(crate) async fn plan(State(daemon): State<Shared>, body: Bytes) -> Answer<PlanAnswer> {
    let request: DeployRequest = read(&body)?;
    daemon.check(&request)?;
    Ok(Json(daemon.engine.plan(request).await?))
}

pub(crate) async fn act(
    State(daemon): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Acted> {
    let action: Action = read(&body)?;
    Ok(Json(daemon.engine.act(&subject(&name)?, action, &peer.name).await?))
}

pub(crate) async fn prune(
    State(daemon): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<PruneAnswer> {
    let request: PruneRequest = read(&body)?;
    Ok(Json(daemon.engine.prune(&subject(&name)?, request, &peer.name).await?))
}

pub(crate) async fn apps(State(daemon): State<Shared>) -> Answer<Vec<AppStatus>> {
    Ok(Json(daemon.engine.status(None).await?))
}

pub(crate) async fn app(
    State(daemon): State<Shared>,
    Path(name): Path<String>,
) -> Answer<AppStatus> {
    let subject = subject(&name)?;
    let found = daemon.engine.status(Some(&subject)).await?.into_iter().next();
    found.map(Json).ok_or_else(|| usage(format!("there is no app {subject}")))
}

pub(crate) async fn compared(
    State(daemon): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Vec<StageComparison>> {
    let most = number(&query, "most", 20)?;
    Ok(Json(daemon.engine.compared(&subject(&name)?, most).await?))
}

pub(crate) async fn ticks(
    State(daemon): State<Shared>,
    Path((name, rollout)): Path<(String, String)>,
) -> Answer<Vec<String>> {
    let rollout = rollout.parse().map_err(|_| usage(format!("{rollout:?} is no number")))?;
    Ok(Json(daemon.engine.ticks(&subject(&name)?, rollout).await?))
}

pub(crate) async fn logs(
    State(daemon): State<Shared>,
    Path((name, instance)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Vec<String>> {
    let instance: InstanceId = instance.parse().map_err(|error| usage(format!("{error}")))?;
    let lines = number(&query, "lines", 100)?;
    Ok(Json(daemon.engine.logs(&subject(&name)?, instance, lines).await?))
}

pub(crate) async fn seconds(
    State(daemon): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Seconds> {
    let after = number(&query, "after", 0)?;
    Ok(Json(daemon.engine.seconds(&subject(&name)?, after).await?))
}

pub(crate) async fn history(
    State(daemon): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Vec<HistoryEntry>> {
    let of = query.get("subject").map(|text| subject(text)).transpose()?;
    let most = number(&query, "most", 20)?;
    let entries = daemon.engine.history(of.as_ref(), most).await?;
    if query.get("evidence").is_some_and(|text| text == "true") {
        return Ok(Json(daemon.engine.with_evidence(entries).await?));
    }
    Ok(Json(entries))
}

pub(crate) async fn report(
    State(daemon): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Report> {
    let of = query.get("subject").map(|text| subject(text)).transpose()?;
    let env = query.get("env").map(|text| text.parse::<Environment>()).transpose();
    let env = env.map_err(|error| usage(format!("{error}")))?;
    let since = At(number(&query, "since", 0)?);
    Ok(Json(daemon.engine.report(of.as_ref(), env.as_ref(), since).await?))
}

pub(crate) async fn events(
    State(daemon): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, No> {
    let rollout = query.get("rollout").map(|text| text.parse()).transpose();
    let subject = query.get("subject").map(|text| subject(text)).transpose()?;
    let after = match (query.get("after").map(String::as_str), query.contains_key("newest")) {
        (Some("now"), _) => None,
        (Some(_), _) | (None, false) => Some(number(&query, "after", 0)?),
        (None, true) => {
            let newest = number(&query, "newest", 0)?;
            Some(daemon.engine.before_newest(subject.as_ref(), newest).await?)
        }
    };
    let wanted = Wanted {
        subject,
        rollout: rollout.map_err(|_| usage("rollout must be a number"))?,
        since: match query.contains_key("since") {
            true => Some(At(number(&query, "since", 0)?)),
            false => None,
        },
        after,
        follow: query.get("follow").is_some_and(|text| text == "true"),
    };
    let body = Body::from_stream(stream::lines(daemon, wanted));
    Ok(([("content-type", "application/x-ndjson")], body).into_response())
}

pub(crate) async fn flags(State(daemon): State<Shared>) -> Answer<Vec<Offered>> {
    Ok(Json(daemon.flags.all().await))
}

pub(crate) async fn serve_flags(
    State(daemon): State<Shared>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Offered> {
    let offer: Offer = read(&body)?;
    Ok(Json(daemon.flags.serve(environment(&name)?, offer).await?))
}

pub(crate) async fn unserve_flags(
    State(daemon): State<Shared>,
    Path(name): Path<String>,
) -> Answer<bool> {
    Ok(Json(daemon.flags.unserve(&environment(&name)?).await?))
}

pub(crate) async fn change_flag(
    State(daemon): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Changed> {
    let asked: Asked = read(&body)?;
    let env = environment(&name)?;
    let (flag, edit, how) = (asked.flag.clone(), asked.edit.clone(), asked.how.clone());
    let mut changed = daemon.flags.change(&env, asked, &peer.name).await?;
    // A flag that follows an app is off there, too.
    let (true, Some(app), Ok(flag)) =
        (!how.dry_run, daemon.flags.followed(&env, &flag).await, flag.parse::<FlagKey>())
    else {
        return Ok(Json(changed));
    };
    let reason = how.kept_reason();
    let action = match edit {
        Edit::Kill => Action::KillFlag { flag, reason },
        Edit::Restore if changed.published => Action::RestoreFlag { flag, reason },
        Edit::Restore | Edit::Set { .. } | Edit::Ramp { .. } => return Ok(Json(changed)),
    };
    match daemon.engine.act(&app, action, &peer.name).await {
        Ok(_) => changed.notes.push(format!("{app} has it so, too")),
        // It was never killed there.
        Err(refused) if matches!(edit, Edit::Restore) && refused.kind == RefusedKind::Usage => {}
        Err(refused) => changed.notes.push(format!("{app} has it not so: {}", refused.message)),
    }
    Ok(Json(changed))
}

pub(crate) async fn flag_changes(
    State(daemon): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Vec<Change>> {
    let most = number(&query, "most", 50)?;
    let flag = query.get("flag").map(String::as_str);
    Ok(Json(daemon.flags.changes(&environment(&name)?, flag, most).await?))
}

pub(crate) async fn approve_flag_change(
    State(daemon): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path((name, text)): Path<(String, String)>,
    body: Bytes,
) -> Answer<Changed> {
    let (how, number): (How, _) = (read(&body)?, change_number(&text)?);
    Ok(Json(daemon.flags.approve(&environment(&name)?, number, &how, &peer.name).await?))
}

pub(crate) async fn revert_flag_change(
    State(daemon): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path((name, text)): Path<(String, String)>,
    body: Bytes,
) -> Answer<Changed> {
    let (how, number): (How, _) = (read(&body)?, change_number(&text)?);
    Ok(Json(daemon.flags.revert(&environment(&name)?, number, &how, &peer.name).await?))
}

fn change_number(text: &str) -> Result<u64, No> {
    text.parse().map_err(|_| usage("the number of a change must be a number"))
}

pub(crate) async fn stale_flags(
    State(daemon): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<StaleFlags> {
    let days = number(&query, "days", 30)?;
    Ok(Json(daemon.flags.stale(&environment(&name)?, days).await?))
}

pub(crate) async fn experiment(
    State(daemon): State<Shared>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<ExperimentReport> {
    let (env, question): (_, Question) = (environment(&name)?, read(&body)?);
    if !(question.alpha > 0.0 && question.alpha < 1.0) {
        return Err(usage("alpha must be above 0 and below 1"));
    }
    let tracks = Arc::clone(&daemon.tracks);
    // It reads every user of the flag.
    let work = move || tracks.report(&env, &question, crate::render::now());
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string());
    let report = done.and_then(|report| report.map_err(|error| error.to_string()));
    report.map(Json).map_err(|error| {
        No(Refused {
            kind: RefusedKind::Internal,
            message: format!("what clients told cannot be read: {error}"),
            help: None,
        })
    })
}

fn environment(text: &str) -> Result<Environment, No> {
    text.parse().map_err(|error| usage(format!("{error}")))
}

pub(crate) async fn status(State(daemon): State<Shared>) -> Answer<Status> {
    Ok(Json(daemon.own_status().await))
}

pub(crate) async fn stop(State(daemon): State<Shared>) -> Answer<Status> {
    let status = daemon.own_status().await;
    daemon.stop.cancel();
    Ok(Json(status))
}

pub(crate) async fn openapi() -> Json<Value> {
    Json(table::description())
}

pub(crate) async fn unknown(request: Request) -> Response {
    let message = format!("there is no {} {}", request.method(), request.uri().path());
    let mut response = usage(message).into_response();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn number<T: std::str::FromStr>(
    query: &HashMap<String, String>,
    name: &str,
    default: T,
) -> Result<T, No> {
    match query.get(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| usage(format!("{name} must be a number"))),
    }
}

/// Says protocol and version in every answer, and refuses commands that speak another one. Asking
/// for its state and stopping it stay possible: they are the way out.
pub(crate) async fn protocol(request: Request, next: Next) -> Response {
    let theirs = request.headers().get(PROTOCOL_HEADER).and_then(|value| value.to_str().ok());
    let same = theirs.is_none_or(|text| text.parse() == Ok(PROTOCOL));
    let way_out = matches!(request.uri().path(), "/v1/status" | "/v1/stop");
    let mut response = if same || way_out {
        next.run(request).await
    } else {
        No(Refused {
            kind: RefusedKind::Usage,
            message: format!(
                "this daemon ({}) speaks protocol {PROTOCOL}, the command speaks {}",
                crate::cli::VERSION,
                theirs.unwrap_or_default(),
            ),
            help: Some("cutover daemon stop, then the command again".into()),
        })
        .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));
    headers.insert(VERSION_HEADER, HeaderValue::from_static(crate::cli::VERSION));
    response
}
