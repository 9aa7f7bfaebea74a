//! `compose.yaml`: one service of it, as far as a plain process can be the same.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::compose_values::{self as values, Environment, Port};
use super::project::in_release;
use super::{Found, Project, VERSIONED};
use crate::cli::init::{port, shell};
use crate::failure::Failure;

/// Keys of a service that are understood, or that mean nothing without containers.
const KNOWN: [&str; 16] = [
    "command",
    "entrypoint",
    "environment",
    "ports",
    "expose",
    "healthcheck",
    "deploy",
    "scale",
    "stop_grace_period",
    "container_name",
    "hostname",
    "init",
    "tty",
    "stdin_open",
    "pull_policy",
    "profiles",
];

pub(super) fn read(project: &Project, file: &str) -> Result<Option<Found>, Failure> {
    let text = project.text(file)?;
    let content: File =
        serde_saphyr::from_str(&text).map_err(|error| project.unreadable(file, &error))?;
    let Services(services) = content.services;
    let Some((name, service)) = chosen(&services) else { return Ok(None) };
    let mut found = Found {
        from: file.to_owned(),
        name: Some(name.to_owned()),
        directory: VERSIONED.to_owned(),
        ..Found::default()
    };
    let port = reached(&mut found, service);
    // An address in the environment may be the port that the program listens on.
    let environment = Environment::of(&service["environment"]);
    let own = port.or(environment.port);
    command(&mut found, project, service, own);
    environment.put(&mut found);
    found.health = values::health(&service["healthcheck"], &mut found.notes);
    let replicas = service["deploy"]["replicas"].as_u64().or(service["scale"].as_u64());
    found.instances = replicas.and_then(|n| u32::try_from(n).ok());
    found.stop = values::span(&service["stop_grace_period"]);
    found.notes.extend(lost(file, service));
    found.notes.extend(neighbours(file, name, &services));
    Ok(Some(found))
}

/// What of the file is read.
#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    services: Services,
}

/// The services in the order of the file, which says what its author thought of first.
#[derive(Default)]
struct Services(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Services {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Services, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Services;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("services by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Services, A::Error> {
                let mut services = vec![];
                while let Some(service) = map.next_entry()? {
                    services.push(service);
                }
                Ok(Services(services))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The first service that publishes a port, else the only one.
fn chosen(services: &[(String, Value)]) -> Option<(&str, &Value)> {
    let published = |(_, service): &&(String, Value)| {
        service["ports"].as_array().is_some_and(|ports| !ports.is_empty())
    };
    let only = || services.first().filter(|_| services.len() == 1);
    services.iter().find(published).or_else(only).map(|(name, service)| (name.as_str(), service))
}

/// Where users reach the service; gives the port that its program listens on.
fn reached(found: &mut Found, service: &Value) -> Option<u16> {
    let ports = service["ports"].as_array().into_iter().flatten();
    let ports: Vec<Port> = ports.filter_map(Port::of).collect();
    let exposed = Port::of(&service["expose"][0]);
    let Some(first) = ports.first().or(exposed.as_ref()) else {
        found.worker = true;
        found
            .notes
            .push("no port is published, so this is a worker: nobody sends it requests".into());
        return None;
    };
    found.listen = first.listen();
    if first.everywhere() {
        found.notes.push(format!(
            "compose lets every machine reach port {}: for that, write `listen: 0.0.0.0:{0}`",
            first.published.unwrap_or(first.target)
        ));
    }
    if ports.len() > 1 {
        let others: Vec<String> = ports[1..].iter().map(|port| port.target.to_string()).collect();
        found.notes.push(format!("an instance has one port; left out: {}", others.join(", ")));
    }
    Some(first.target)
}

/// Entry point and command; those of the project's other files where the image has its own.
fn command(found: &mut Found, project: &Project, service: &Value, own: Option<u16>) {
    let lines = [&service["entrypoint"], &service["command"]];
    let mut words = Vec::new();
    for value in lines {
        match value {
            Value::String(text) => {
                let line = shell::line(&text.replace("$$", "$"));
                found.env.extend(line.env);
                words.extend(line.words);
            }
            Value::Array(list) => words.extend(list.iter().map(values::scalar)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
    }
    found.build = vec![project.copy()];
    if words.is_empty() {
        return from_image(found, project);
    }
    if words.first().is_some_and(|word| word != "sh") {
        port::fill(&mut words, own);
    }
    if let Some(program) = words.first_mut() {
        *program = in_release(program);
    }
    found.command = words;
}

/// The image knows what it runs, this file does not: what else is in the folder may.
fn from_image(found: &mut Found, project: &Project) {
    let Some(source) = super::source_of(project) else {
        return found.command_unknown("the command is in the image: write what starts the program");
    };
    found.doubts.push(format!("the command is in the image: this one is from {}", source.from));
    found.doubts.extend(source.doubts);
    found.notes.extend(source.notes);
    found.command = source.command;
    found.directory = source.directory;
    found.env = source.env;
    found.build = source.build;
}

/// What has no counterpart on local processes.
fn lost(file: &str, service: &Value) -> Option<String> {
    let keys = service.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    let lost: Vec<&str> =
        keys.filter(|key| !KNOWN.contains(key) && !key.starts_with("x-")).collect();
    (!lost.is_empty())
        .then(|| format!("{file}: nothing on local processes corresponds to {}", lost.join(", ")))
}

fn neighbours(file: &str, name: &str, services: &[(String, Value)]) -> Option<String> {
    let others: Vec<&str> =
        services.iter().map(|(other, _)| other.as_str()).filter(|k| *k != name).collect();
    (!others.is_empty()).then(|| {
        format!(
            "{file} also runs {}: such names are no addresses outside of compose, so publish their ports and use 127.0.0.1",
            others.join(", ")
        )
    })
}
