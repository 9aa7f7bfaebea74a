//! Values in a compose file: each can be written in several ways.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cutover_core::units::Span;
use serde_json::Value;

use super::{Found, Probe};
use crate::cli::init::shell;

/// A number, a text or a truth value as text.
pub(super) fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn span(value: &Value) -> Option<Span> {
    value.as_str()?.parse().ok()
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    host: Option<IpAddr>,
    pub(super) published: Option<u16>,
    /// The one that the program listens on.
    pub(super) target: u16,
}

impl Port {
    pub(super) fn of(value: &Value) -> Option<Port> {
        if let Some(long) = value.as_object() {
            let number = |key: &str| with_default(&scalar(long.get(key)?)).parse().ok();
            let host = long.get("host_ip").and_then(Value::as_str).and_then(|ip| ip.parse().ok());
            return Some(Port { host, published: number("published"), target: number("target")? });
        }
        let text = scalar(value);
        let text = with_default(text.split('/').next()?);
        let mut parts = text.rsplitn(3, ':');
        // Of a range the first one.
        let mut number = || parts.next()?.split('-').next()?.parse::<u16>().ok();
        let (target, published) = (number()?, number());
        let host = parts.next().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
        Some(Port { host, published, target })
    }

    /// Where users reach it: this machine only, unless the file names an address.
    pub(super) fn listen(&self) -> Option<SocketAddr> {
        let host = self.host.filter(|host| !host.is_unspecified());
        let host = host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        // A port below 1024 that nobody asked for would need privileges.
        let port = self.published.or(Some(self.target).filter(|port| *port >= 1024));
        Some(SocketAddr::new(host, port?))
    }

    /// Does compose publish it on every address of the machine?
    pub(super) fn everywhere(&self) -> bool {
        self.published.is_some() && self.host.is_none_or(|host| host.is_unspecified())
    }
}

/// `${NAME:-default}` as its default; everything else as it is.
fn with_default(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else { break };
        let default = inside.split_once(":-").or_else(|| inside.split_once('-'));
        filled.push_str(before);
        match default {
            Some((_, default)) => filled.push_str(default),
            None => filled.push_str(&format!("${{{inside}}}")),
        }
        rest = behind;
    }
    filled + rest
}

/// The variables of a service.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pairs: Vec<(String, Option<String>)>,
    /// The value of `PORT`, which is another one for each instance here.
    pub(super) port: Option<u16>,
}

impl Environment {
    pub(super) fn of(value: &Value) -> Environment {
        let pair = |text: String| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text, None),
        };
        let given = |value: &Value| (!value.is_null()).then(|| scalar(value));
        let mut pairs: Vec<(String, Option<String>)> = match value {
            Value::Array(list) => list.iter().map(|entry| pair(scalar(entry))).collect(),
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), given(v))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
        };
        let port = pairs.iter().find(|(name, _)| name == "PORT");
        let port = port.and_then(|(_, value)| with_default(value.as_ref()?).parse().ok());
        pairs.retain(|(name, _)| name != "PORT");
        Environment { pairs, port }
    }

    /// Puts them where they belong: values into `env`, what the caller's environment has into
    /// `pass`, and a word about what may be a secret.
    pub(super) fn put(self, found: &mut Found) {
        for (name, value) in self.pairs {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty()
                || !name.chars().all(good)
                || name.starts_with(|c: char| c.is_ascii_digit())
            {
                found.notes.push(format!("left out: {name:?} is no name for a variable here"));
                continue;
            }
            let value = value.map(|value| with_default(&value).replace("$$", "$"));
            let own = format!("${{{name}}}");
            match value {
                Some(value) if value == own || value == format!("${name}") => found.pass.push(name),
                None => found.pass.push(name),
                Some(value) if value.contains("${") => found
                    .notes
                    .push(format!("left out: {name} is made of other variables ({value})")),
                Some(value) => {
                    if is_secret(&name) {
                        found.notes.push(format!(
                            "{name} looks like a secret: put it into a file, and write `secrets: {{ {name}: {{ file: FILE }} }}` instead"
                        ));
                    }
                    found.env.insert(name, value);
                }
            }
        }
    }
}

fn is_secret(name: &str) -> bool {
    ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY"]
        .iter()
        .any(|word| name.to_ascii_uppercase().contains(word))
}

/// The health check of a service, if it asks for a URL.
pub(super) fn health(value: &Value, notes: &mut Vec<String>) -> Option<Probe> {
    if value["disable"].as_bool() == Some(true) {
        return None;
    }
    let words = match &value["test"] {
        Value::String(line) => shell::line(line).words,
        Value::Array(list) => list.iter().map(scalar).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    if words.first().is_some_and(|word| word == "NONE") {
        return None;
    }
    let Some(path) = words.iter().find_map(|word| url_path(word)) else {
        notes.push(
            "the health check is a command: here it is a path that answers 2xx, or a TCP connect"
                .to_owned(),
        );
        return None;
    };
    Some(Probe {
        path,
        interval: span(&value["interval"]),
        timeout: span(&value["timeout"]),
        unhealthy_after: value["retries"].as_u64().and_then(|n| u32::try_from(n).ok()),
    })
}

/// The path of the first URL in a text.
fn url_path(text: &str) -> Option<String> {
    let after = text.split_once("http://").or_else(|| text.split_once("https://"))?.1;
    let end = |c: char| c.is_whitespace() || "'\"|;&)".contains(c);
    let url = after.split(end).next()?;
    let path = url.find('/').map_or("/", |at| &url[at..]);
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listen(value: Value) -> Option<String> {
        Port::of(&value).unwrap().listen().map(|address| address.to_string())
    }

    #[test]
    fn ports_are_read_in_every_form() {
        assert_eq!(listen(json!("8080:80")).unwrap(), "127.0.0.1:8080");
        assert_eq!(listen(json!("10.0.0.1:8080:80/tcp")).unwrap(), "10.0.0.1:8080");
        assert_eq!(listen(json!("[::1]:8080:80")).unwrap(), "[::1]:8080");
        assert_eq!(listen(json!("${WEB:-9000}:80")).unwrap(), "127.0.0.1:9000");
        assert_eq!(listen(json!({"target": 80, "published": "8081"})).unwrap(), "127.0.0.1:8081");
        assert_eq!(listen(json!("3000-3005")).unwrap(), "127.0.0.1:3000");
        assert_eq!(listen(json!(80)), None);
        assert_eq!(Port::of(&json!("8080:80")).unwrap().target, 80);
        assert!(Port::of(&json!("${WEB}:${PORT}")).is_none());
        assert!(Port::of(&json!("8080:80")).unwrap().everywhere());
        assert!(!Port::of(&json!("127.0.0.1:8080:80")).unwrap().everywhere());
    }

    #[test]
    fn a_health_check_is_the_path_of_its_url() {
        let path = |test: Value| health(&json!({ "test": test }), &mut vec![]).map(|p| p.path);
        let curl = json!(["CMD", "curl", "-f", "http://localhost:80/health"]);
        assert_eq!(path(curl).as_deref(), Some("/health"));
        let line = json!("curl -f http://localhost/up?x=1 || exit 1");
        assert_eq!(path(line).as_deref(), Some("/up?x=1"));
        assert_eq!(
            path(json!(["CMD-SHELL", "wget -q http://localhost || exit 1"])).as_deref(),
            Some("/")
        );
        assert_eq!(path(json!(["CMD", "pg_isready"])), None);
        assert_eq!(path(json!("NONE")), None);
    }

    #[test]
    fn variables_go_to_env_or_pass_and_port_nowhere() {
        let list =
            json!(["A=1", "B", "C=${C}", "D=${D:-4}", "PORT=3000", "E=${F}/x", "G=a$$b", "1=2"]);
        let environment = Environment::of(&list);
        assert_eq!(environment.port, Some(3000));
        let mut found = Found::default();
        environment.put(&mut found);
        let env: Vec<String> = found.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(env, ["A=1", "D=4", "G=a$b"]);
        assert_eq!(found.pass, ["B", "C"]);
        assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
    }
}
