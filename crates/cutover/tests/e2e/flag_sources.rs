//! Definitions from a ConfigMap, a repository and a URL.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::harness::{World, free_port, post, request, wait_until, write};

fn document(color: &str) -> String {
    json!({"flags": {"color": {"state": "ENABLED", "variants": {"red": "red", "blue": "blue"},
        "defaultVariant": color}}, "metadata": {"cutover.bucketing": "v3"}})
    .to_string()
}

fn color(address: &str) -> Value {
    let path = "/ofrep/v1/evaluate/flags/color";
    post(address, path, "", "{}").map_or(Value::Null, |answer| answer.json()["value"].take())
}

#[test]
fn a_config_map_that_is_swapped_is_served() {
    let world = World::new();
    let folder = world.app().join("mounted");
    for (version, color) in [("..1", "red"), ("..2", "blue")] {
        fs::create_dir_all(folder.join(version)).unwrap();
        write(&folder.join(version).join("flags.json"), &document(color));
    }
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/flags.json", folder.join("flags.json")).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    world.run(&format!("flag serve --listen {address} mounted")).expect_ok();
    assert_eq!(color(&address), "red");
    // As the kubelet does it; the old folder goes.
    symlink("..2", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    fs::remove_dir_all(folder.join("..1")).unwrap();
    wait_until("the swap is served", || color(&address) == "blue");
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(arguments);
    git.envs([("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@example.com")]);
    git.envs([("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@example.com")]);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = git.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_repository_is_served_as_it_is_committed() {
    let world = World::new();
    let repository = world.app().join("repository");
    fs::create_dir_all(repository.join("flags")).unwrap();
    let file = repository.join("flags/colors.json");
    write(&file, &document("red"));
    write(&repository.join("README.md"), "no flags");
    git(&repository, &["init", "--quiet", "--initial-branch", "main"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "--message", "red"]);
    let address = format!("127.0.0.1:{}", free_port());
    let serve = format!("flag serve --listen {address} --git repository");
    world.run(&format!("{serve} --ref nowhere flags")).expect_code(4).complains("no commit");
    world.run(&format!("{serve} --ref=-x flags")).expect_code(2).complains("no ref of git");
    world.run(&format!("{serve} none")).expect_code(4).complains("there is no \"none\"");
    world.run(&format!("{serve} --ref main flags")).expect_ok();
    assert_eq!(color(&address), "red");
    // What is only saved is not served: another commit is, and this file is not part of it.
    write(&file, &document("blue"));
    write(&repository.join("flags/more.yaml"), "flags: {}\n");
    git(&repository, &["add", "flags/more.yaml"]);
    git(&repository, &["commit", "--quiet", "--message", "more"]);
    let sources = || {
        let socket = world.state().join("proxy.sock");
        request(&socket, "GET", "/v1/flags/default/sources", "").unwrap().json()
    };
    wait_until("the commit is served", || sources().as_array().unwrap().len() == 2);
    assert_eq!(sources()[0]["name"], "main:flags/colors.json");
    assert_eq!(color(&address), "red");
    git(&repository, &["commit", "--quiet", "--all", "--message", "blue"]);
    wait_until("the next commit is served", || color(&address) == "blue");
    // A broken commit, and a repository that goes away: the last good one is served on.
    write(&file, "{");
    git(&repository, &["commit", "--quiet", "--all", "--message", "broken"]);
    let list = || world.run("flag list").stderr;
    wait_until("it is refused", || list().contains("main:flags/colors.json:1:2"));
    git(&repository, &["reset", "--quiet", "--hard", "HEAD~1"]);
    wait_until("the ref went back", || !list().contains("not served"));
    fs::rename(&repository, world.app().join("gone")).unwrap();
    wait_until("it is missed", || list().contains("the newest definitions are not served"));
    assert_eq!(color(&address), "blue");
    fs::rename(world.app().join("gone"), &repository).unwrap();
    wait_until("it is back", || !list().contains("not served"));
}

/// A server with one document; it answers 304 to whoever has it.
struct Site {
    address: String,
    text: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Site {
    fn start(text: &str) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let text = Arc::new(Mutex::new(Some(text.to_owned())));
        let (asked, over) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (own, heads, end) = (Arc::clone(&text), Arc::clone(&asked), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let _ = answer(stream.unwrap(), own.lock().unwrap().as_deref(), &heads);
            }
        });
        Site { address, text, asked, over, thread: Some(thread) }
    }

    fn set(&self, text: Option<&str>) {
        *self.text.lock().unwrap() = text.map(str::to_owned);
    }

    fn has_heard(&self, words: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|head| head.contains(words))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer(
    mut stream: TcpStream,
    text: Option<&str>,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    heads.lock().unwrap().push(head.clone());
    let Some(text) = text else {
        return stream
            .write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    let tag = format!("\"{}\"", text.len() + text.matches("blue\"}").count());
    let (status, body) = match head.contains(&format!("if-none-match: {tag}")) {
        true => ("304 Not Modified", ""),
        false => ("200 OK", text),
    };
    let length = if status.starts_with("304") {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    write!(stream, "HTTP/1.1 {status}\r\netag: {tag}\r\n{length}connection: close\r\n\r\n{body}")
}

#[test]
fn a_url_is_looked_at_by_its_tag_and_missed_loudly() {
    let world = World::new();
    let site = Site::start(&document("red"));
    let url = format!("http://{}/flags.json?key=secret", site.address);
    let address = format!("127.0.0.1:{}", free_port());
    let serve = format!("flag serve --listen {address} --every 1s --bearer-file token");
    world.run(&format!("{serve} {url}")).expect_code(4).complains("token");
    write(&world.app().join("token"), "t0ken\n");
    let elsewhere = format!("http://127.0.0.1:{}/flags.json", free_port());
    world.run(&format!("{serve} {elsewhere}")).expect_code(4).complains("cannot be fetched");
    world.run("flag serve http://u:p@127.0.0.1/x.json").expect_code(2).complains("--bearer-file");
    world.run("flag serve --every 1ms x.json").expect_code(2).complains("--every");
    world.run(&format!("{serve} {url}")).expect_ok();
    assert_eq!(color(&address), "red");
    assert!(site.has_heard("authorization: bearer t0ken"));
    wait_until("it asks by tag", || site.has_heard("if-none-match: "));
    site.set(Some(&document("blue")));
    wait_until("the change is served", || color(&address) == "blue");
    // Broken, then unreachable, then as before.
    let list = || world.run("flag list").stderr;
    site.set(Some("{"));
    wait_until("it is refused", || list().contains("/flags.json:1:2"));
    assert!(!list().contains("secret"), "the query is told nobody: {}", list());
    site.set(None);
    wait_until("it is missed", || list().contains("it answers 503"));
    assert_eq!(color(&address), "blue");
    assert!(!list().contains("secret"), "{}", list());
    site.set(Some(&document("red")));
    wait_until("it is there again", || color(&address) == "red");
    wait_until("nothing is wrong any more", || !list().contains("not served"));
}
