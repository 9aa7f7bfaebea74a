//! All routes in one table: the router and the API description are made from it.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, delete, get, post, put};
use cutover_core::dataplane::Seconds;
use cutover_core::event::Event;
use cutover_core::kpi::Report;
use cutover_core::units::At;
use cutover_engine::api::{
    Accepted, Acted, Action, AppStatus, DeployRequest, HistoryEntry, PlanAnswer, RampRequest,
    Refused, RollbackRequest, StageComparison,
};
use cutover_engine::prune::{PruneAnswer, PruneRequest};
use cutover_engine::tracks::{ExperimentReport, Question};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::routes::{self, Shared};
use crate::flags::{Asked, Change, Changed, How, Offer, Offered, StaleFlags};

/// The largest request that is read.
const LARGEST: usize = 1 << 20;

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Status {
    /// Its process id.
    pub(crate) pid: u32,
    /// Its version.
    pub(crate) version: String,
    /// The protocol it speaks.
    pub(crate) protocol: u32,
    /// When it started.
    pub(crate) since: At,
    /// How many apps it looks after.
    pub(crate) apps: usize,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What an answer's body is.
enum Body {
    Json(SchemaOf),
    /// One JSON value a line, blank lines as heartbeats.
    Lines(SchemaOf),
    Nothing,
}

/// One route.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    summary: &'static str,
    /// Query parameters and what they mean.
    query: &'static [(&'static str, &'static str)],
    request: Option<SchemaOf>,
    answer: Body,
    serve: fn() -> MethodRouter<Shared>,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Every route there is.
pub(crate) fn table() -> Vec<Route> {
    let route = |method, path, summary, answer, serve| Route {
        method,
        path,
        summary,
        query: &[],
        request: None,
        answer,
        serve,
    };
    vec![
        Route {
            request: Some(schema::<DeployRequest>),
            ..route(
                "post",
                "/v1/deploy",
                "Release a version.",
                Body::Json(schema::<Accepted>),
                || post(routes::deploy),
            )
        },
        Route {
            request: Some(schema::<RollbackRequest>),
            ..route(
                "post",
                "/v1/rollback",
                "Go back to an earlier release.",
                Body::Json(schema::<Accepted>),
                || post(routes::rollback),
            )
        },
        Route {
            request: Some(schema::<RampRequest>),
            ..route(
                "post",
                "/v1/ramp",
                "Change the share of users that a flag is on for, on the live release.",
                Body::Json(schema::<Accepted>),
                || post(routes::ramp),
            )
        },
        Route {
            request: Some(schema::<DeployRequest>),
            ..route(
                "post",
                "/v1/plan",
                "The plan that deploy would follow; changes nothing.",
                Body::Json(schema::<PlanAnswer>),
                || post(routes::plan),
            )
        },
        Route {
            request: Some(schema::<Action>),
            ..route(
                "post",
                "/v1/apps/{subject}/actions",
                "Do what a person asks of an app.",
                Body::Json(schema::<Acted>),
                || post(routes::act),
            )
        },
        Route {
            request: Some(schema::<PruneRequest>),
            ..route(
                "post",
                "/v1/apps/{subject}/prune",
                "Remove what old releases of an app left behind, or say what would go.",
                Body::Json(schema::<PruneAnswer>),
                || post(routes::prune),
            )
        },
        route("get", "/v1/apps", "Every app.", Body::Json(schema::<Vec<AppStatus>>), || {
            get(routes::apps)
        }),
        route("get", "/v1/apps/{subject}", "One app.", Body::Json(schema::<AppStatus>), || {
            get(routes::app)
        }),
        Route {
            query: &[("most", "how many; 20 if not given")],
            ..route(
                "get",
                "/v1/apps/{subject}/comparisons",
                "What stages compared, newest first.",
                Body::Json(schema::<Vec<StageComparison>>),
                || get(routes::compared),
            )
        },
        route(
            "get",
            "/v1/apps/{subject}/ticks/{rollout}",
            "What the judge of a rollout was fed with, a line of JSON for each second.",
            Body::Json(schema::<Vec<String>>),
            || get(routes::ticks),
        ),
        Route {
            query: &[("lines", "how many of the last lines; 100 if not given")],
            ..route(
                "get",
                "/v1/apps/{subject}/logs/{instance}",
                "The last lines of an instance's output.",
                Body::Json(schema::<Vec<String>>),
                || get(routes::logs),
            )
        },
        Route {
            query: &[(
                "after",
                "only seconds after this cursor, 0 if not given; the answer has the next one",
            )],
            ..route(
                "get",
                "/v1/apps/{subject}/seconds",
                "What the proxy counted, by the second; reading resets nothing.",
                Body::Json(schema::<Seconds>),
                || get(routes::seconds),
            )
        },
        Route {
            query: &[
                ("subject", "of one app only"),
                ("most", "how many; 20 if not given"),
                ("evidence", "true: with what the judge saw at each stage"),
            ],
            ..route(
                "get",
                "/v1/history",
                "Rollouts, newest first.",
                Body::Json(schema::<Vec<HistoryEntry>>),
                || get(routes::history),
            )
        },
        Route {
            query: &[
                ("subject", "of one app only"),
                ("env", "of one environment only"),
                ("since", "rollouts that ended since, in milliseconds; 0 if not given"),
            ],
            ..route(
                "get",
                "/v1/report",
                "Key figures of past rollouts.",
                Body::Json(schema::<Report>),
                || get(routes::report),
            )
        },
        Route {
            query: &[
                ("subject", "of one app only"),
                (
                    "after",
                    "only events with a higher index, 0 if not given; now: only those to come",
                ),
                ("since", "only events of this time or later, in milliseconds"),
                ("newest", "begin with so many of the stored ones, where after is not given"),
                ("follow", "true: go on as they come"),
                ("rollout", "of one rollout only"),
            ],
            ..route(
                "get",
                "/v1/events",
                "Events, oldest first.",
                Body::Lines(schema::<Event>),
                || get(routes::events),
            )
        },
        route(
            "get",
            "/v1/flags",
            "The flags that are served.",
            Body::Json(schema::<Vec<Offered>>),
            || get(routes::flags),
        ),
        Route {
            request: Some(schema::<Offer>),
            ..route(
                "put",
                "/v1/flags/{environment}",
                "Serve flags of an environment.",
                Body::Json(schema::<Offered>),
                || put(routes::serve_flags),
            )
        },
        route(
            "delete",
            "/v1/flags/{environment}",
            "Serve them no longer.",
            Body::Json(schema::<bool>),
            || delete(routes::unserve_flags),
        ),
        Route {
            request: Some(schema::<Asked>),
            ..route(
                "post",
                "/v1/flags/{environment}/changes",
                "Change a flag, or tell what that would do.",
                Body::Json(schema::<Changed>),
                || post(routes::change_flag),
            )
        },
        Route {
            query: &[("flag", "of one flag only"), ("most", "how many; 50 if not given")],
            ..route(
                "get",
                "/v1/flags/{environment}/changes",
                "Changes of flags, newest first.",
                Body::Json(schema::<Vec<Change>>),
                || get(routes::flag_changes),
            )
        },
        Route {
            request: Some(schema::<How>),
            ..route(
                "post",
                "/v1/flags/{environment}/changes/{number}/approve",
                "Make a change that waited for a second person.",
                Body::Json(schema::<Changed>),
                || post(routes::approve_flag_change),
            )
        },
        Route {
            request: Some(schema::<How>),
            ..route(
                "post",
                "/v1/flags/{environment}/changes/{number}/revert",
                "Undo a change of a flag.",
                Body::Json(schema::<Changed>),
                || post(routes::revert_flag_change),
            )
        },
        Route {
            query: &[("days", "how long nothing may have changed; 30 if not given")],
            ..route(
                "get",
                "/v1/flags/{environment}/stale",
                "Flags that look finished.",
                Body::Json(schema::<StaleFlags>),
                || get(routes::stale_flags),
            )
        },
        Route {
            request: Some(schema::<Question>),
            ..route(
                "post",
                "/v1/flags/{environment}/experiment",
                "Compare a flag's variants by what clients told; changes nothing.",
                Body::Json(schema::<ExperimentReport>),
                || post(routes::experiment),
            )
        },
        route("get", "/v1/status", "The daemon itself.", Body::Json(schema::<Status>), || {
            get(routes::status)
        }),
        route(
            "post",
            "/v1/stop",
            "Stop the daemon; apps run on.",
            Body::Json(schema::<Status>),
            || post(routes::stop),
        ),
        route("get", "/v1/openapi.json", "This description.", Body::Nothing, || {
            get(routes::openapi)
        }),
    ]
}

/// The router made from the table.
pub(crate) fn router(shared: Shared) -> Router {
    let mut router = Router::new();
    for route in table() {
        router = router.route(route.path, (route.serve)());
    }
    router
        .fallback(routes::unknown)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(axum::middleware::from_fn(routes::protocol))
        .with_state(shared)
}

/// The OpenAPI 3.1 description made from the table.
pub(crate) fn description() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in table() {
        let mut parameters: Vec<Value> = route
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        parameters.extend(route.query.iter().map(|(name, meaning)| {
            json!({"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}})
        }));
        let answer = match route.answer {
            Body::Json(of) => json!({"application/json": {"schema": of(&mut generator)}}),
            Body::Lines(of) => json!({"application/x-ndjson": {"schema": of(&mut generator)}}),
            Body::Nothing => json!({"application/json": {}}),
        };
        let refused = schema::<Refused>(&mut generator);
        let mut operation = json!({
            "summary": route.summary,
            "parameters": parameters,
            "responses": {
                "200": {"description": "done", "content": answer},
                "default": {
                    "description": "refused; nothing was changed",
                    "content": {"application/json": {"schema": refused}},
                },
            },
        });
        if let (Some(of), Value::Object(operation)) = (route.request, &mut operation) {
            let body = json!({"required": true, "content": {"application/json": {"schema": of(&mut generator)}}});
            operation.insert("requestBody".into(), body);
        }
        let entry = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(entry) = entry {
            entry.insert(route.method.into(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Cutover", "version": crate::cli::VERSION},
        "paths": paths,
        "components": {"schemas": generator.take_definitions(true)},
    })
}
