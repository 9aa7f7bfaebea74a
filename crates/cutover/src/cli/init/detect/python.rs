//! `manage.py`, `pyproject.toml`, `requirements.txt`: Django, or one of the small web frameworks.

use toml::Table;

use super::project::{HEALTH, health_path};
use super::{Found, Probe, Project, VERSIONED};
use crate::failure::Failure;

/// Where the object that serves is looked for.
const SOURCES: [&str; 10] = [
    "main.py",
    "app.py",
    "server.py",
    "asgi.py",
    "wsgi.py",
    "application.py",
    "app/main.py",
    "app/__init__.py",
    "src/main.py",
    "src/app.py",
];

/// How requests reach the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interface {
    Asgi,
    Wsgi,
}

/// The frameworks, by the class whose object serves.
const CLASSES: [(&str, Interface); 7] = [
    ("FastAPI", Interface::Asgi),
    ("Starlette", Interface::Asgi),
    ("Quart", Interface::Asgi),
    ("Litestar", Interface::Asgi),
    ("Flask", Interface::Wsgi),
    ("Bottle", Interface::Wsgi),
    ("Falcon", Interface::Wsgi),
];

pub(super) fn read(project: &Project, file: &str) -> Result<Option<Found>, Failure> {
    let needed = ["requirements.txt", "pyproject.toml", "Pipfile"].map(|f| project.text_if_any(f));
    let needed = needed.into_iter().flatten().collect::<Vec<_>>().join("\n").to_lowercase();
    let python = Python::of(project, needed);
    let mut found = match python.django(project).or_else(|| python.small(project)) {
        Some(found) => found,
        None => return Ok(None),
    };
    found.from = file.to_owned();
    found.name = found.name.or_else(|| named(project));
    found.directory = VERSIONED.to_owned();
    found.build = vec![project.copy()];
    if python.shared {
        let note =
            "all versions share the packages in .venv: a version that needs others wants its own";
        found.doubts.push(note.to_owned());
    }
    Ok(Some(found))
}

/// The name in `pyproject.toml`.
fn named(project: &Project) -> Option<String> {
    let table: Table = project.text_if_any("pyproject.toml")?.parse().ok()?;
    table.get("project")?.get("name")?.as_str().map(str::to_owned)
}

/// An interpreter, and the packages that the project asks for.
struct Python {
    program: &'static str,
    shared: bool,
    needed: String,
}

impl Python {
    fn of(project: &Project, needed: String) -> Python {
        let shared = project.has(".venv/bin/python");
        Python { program: if shared { "./.venv/bin/python" } else { "python3" }, shared, needed }
    }

    fn needs(&self, package: &str) -> bool {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        self.needed.split(|c| !inside(c)).any(|word| word == package)
    }

    fn module(&self, words: &[&str]) -> Vec<String> {
        let words = ["-m"].iter().chain(words).map(|word| (*word).to_owned());
        std::iter::once(self.program.to_owned()).chain(words).collect()
    }

    fn django(&self, project: &Project) -> Option<Found> {
        let manage = project.text_if_any("manage.py")?;
        let settings = manage.split(['"', '\'']).find(|text| text.contains(".settings"))?;
        let package = settings.split(".settings").next()?;
        let mut found = Found { name: Some(package.to_owned()), ..Found::default() };
        if self.needs("gunicorn") {
            let bind = "127.0.0.1:{port}";
            found.command = self.module(&["gunicorn", &format!("{package}.wsgi"), "--bind", bind]);
        } else {
            let words = ["manage.py", "runserver", "--noreload", "127.0.0.1:{port}"];
            found.command = std::iter::once(self.program).chain(words).map(str::to_owned).collect();
            found.doubts.push(development("Django"));
        }
        let urls = project.text_if_any(&format!("{package}/urls.py"));
        found.health = urls.and_then(|text| route(&text)).map(Probe::at);
        found.notes.push("migrate the database yourself before `cutover deploy`".to_owned());
        Some(found)
    }

    fn small(&self, project: &Project) -> Option<Found> {
        let (file, source, (name, class, interface)) = SOURCES.iter().find_map(|file| {
            let source = project.text_if_any(file)?;
            let object = object(&source)?;
            Some((file, source, object))
        })?;
        let module = file.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".");
        let target = format!("{module}:{name}");
        let mut found = Found { health: health_path(&source).map(Probe::at), ..Found::default() };
        found.command = match interface {
            Interface::Asgi => {
                self.module(&["uvicorn", &target, "--host", "127.0.0.1", "--port", "{port}"])
            }
            Interface::Wsgi if self.needs("gunicorn") || class != "Flask" => {
                self.module(&["gunicorn", &target, "--bind", "127.0.0.1:{port}"])
            }
            Interface::Wsgi => {
                found.doubts.push(development(class));
                self.module(&["flask", "--app", &target, "run", "--port", "{port}"])
            }
        };
        Some(found)
    }
}

fn development(framework: &str) -> String {
    format!("{framework}'s own server is made for development: gunicorn is made for users")
}

/// The path of a health check among Django's routes, which are written without the first slash.
fn route(urls: &str) -> Option<String> {
    HEALTH.iter().flat_map(|path| [format!("{path}/"), (*path).to_owned()]).find(|path| {
        let route = &path[1..];
        ['"', '\''].iter().any(|quote| urls.contains(&format!("{quote}{route}{quote}")))
    })
}

/// The object that serves: its name, its class, and how it is called. `app = FastAPI()`
fn object(source: &str) -> Option<(String, &'static str, Interface)> {
    source.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.split(':').next()?.trim_end();
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let named = !name.is_empty() && name.chars().all(good);
        let callee = value.split_once('(')?.0.trim();
        let class = callee.rsplit('.').next()?;
        let class = CLASSES.iter().find(|(known, _)| *known == class);
        class.filter(|_| named).map(|(class, interface)| (name.to_owned(), *class, *interface))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_that_serves_is_found_by_its_class() {
        let found = |text: &str| object(text).map(|(name, class, _)| format!("{name} {class}"));
        assert_eq!(found("import x\napp = FastAPI(title=\"a.b\")").as_deref(), Some("app FastAPI"));
        assert_eq!(found("api: FastAPI = fastapi.FastAPI()").as_deref(), Some("api FastAPI"));
        assert_eq!(found("app = flask.Flask(__name__)").as_deref(), Some("app Flask"));
        assert_eq!(found("    app = Flask(__name__)"), None, "not inside of a function");
        assert_eq!(found("app = FlaskGroup(x)"), None);
    }
}
