//! Exactly one release is live, whole and alone.

use serde_json::Value;

/// The version that `status --json` calls live.
pub(crate) fn live(status: &Value, app: &str) -> Option<String> {
    Some(of(status, app)?["live"]["version"].as_str()?.to_owned())
}

fn of<'a>(status: &'a Value, app: &str) -> Option<&'a Value> {
    status["apps"].as_array()?.iter().find(|one| one["subject"] == app)
}

/// What `status --json` says that is not as at rest: one live release, `n` ready instances of it
/// that serve, and nothing else.
pub(crate) fn wrong_status(status: &Value, app: &str, n: u32) -> Vec<String> {
    let Some(one) = of(status, app) else {
        return vec![format!("status knows no app {app}")];
    };
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(format!("{app}: {what}"));
        }
    };
    must(one["rollout"].is_null(), "a rollout goes on".to_owned());
    must(one["standby"].is_null(), "a standby is kept".to_owned());
    must(one["held"] == false, "requests are held".to_owned());
    must(
        one["troubles"].as_array().is_some_and(Vec::is_empty),
        format!("troubles: {}", one["troubles"]),
    );
    must(one["live"]["version"].is_string(), "no release is live".to_owned());
    let none = Vec::new();
    let instances = one["instances"].as_array().unwrap_or(&none);
    must(instances.len() == n as usize, format!("{} instances, not {n}", instances.len()));
    for instance in instances {
        let (id, state) = (&instance["id"], &instance["state"]);
        must(instance["release"] == one["live"], format!("{id} is not of the live release"));
        must(*state == "ready", format!("{id} is {state}: {}", instance["detail"]));
        must(instance["serving"] == true, format!("{id} does not serve"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status() -> Value {
        let release = json!({"id": "r2", "version": "v2"});
        let instance = |id: &str| json!({"id": id, "release": release, "state": "ready", "serving": true, "detail": null});
        json!({"apps": [{"subject": "shop", "rollout": null, "standby": null, "held": false,
            "troubles": [], "live": release, "instances": [instance("r2.0"), instance("r2.1")]}]})
    }

    #[test]
    fn one_whole_release_is_fine() {
        assert_eq!(wrong_status(&status(), "shop", 2), Vec::<String>::new());
        assert_eq!(live(&status(), "shop").as_deref(), Some("v2"));
    }

    #[test]
    fn anything_else_is_told() {
        let changes: [(&str, Value); 8] = [
            ("/apps/0/rollout", json!({"number": 3})),
            ("/apps/0/standby", json!(["v1", 1])),
            ("/apps/0/held", json!(true)),
            ("/apps/0/troubles", json!(["no room"])),
            ("/apps/0/live", Value::Null),
            ("/apps/0/instances/1/release", json!({"id": "r1", "version": "v1"})),
            ("/apps/0/instances/1/state", json!("exited")),
            ("/apps/0/instances/1/serving", json!(false)),
        ];
        for (path, value) in changes {
            let mut status = status();
            *status.pointer_mut(path).unwrap() = value;
            assert!(!wrong_status(&status, "shop", 2).is_empty(), "{path}");
        }
        assert!(!wrong_status(&status(), "shop", 3).is_empty());
        assert!(!wrong_status(&status(), "other", 2).is_empty());
    }
}
