//! An app for the tests: does what its first argument says.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |n: usize| arguments.get(n).map(String::as_str).unwrap_or_default();
    match argument(0) {
        // Answers every request alike: status, and a header line or a body.
        "serve" => serve(argument(1), argument(2))?,
        // Answers while a file does not exist, and 503 while it does.
        "unless" => loop_over(
            |path, stream| {
                let bad = std::path::Path::new(path).exists();
                answer(stream, if bad { "503 Unavailable" } else { "200 OK" }, "")
            },
            argument(1),
        )?,
        // Prints a line for every request before it answers, and ends if it cannot.
        "chatty" => {
            let port: u16 = std::env::var("PORT")?.parse()?;
            for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
                say("asked")?;
                let mut stream = stream?;
                let mut line = String::new();
                let mut head = BufReader::new(stream.try_clone()?);
                while head.read_line(&mut line).unwrap_or(0) > 2 {
                    line.clear();
                }
                // Nobody may be there any more.
                let _ = answer(&mut stream, "200 OK", "");
            }
        }
        // Serves, and has a child of another user for a minute.
        "foreign" => {
            let child = Command::new("sleep").arg("60").uid(65534).spawn()?;
            say(&format!("grandchild {}", child.id()))?;
            serve("200 OK", "")?;
        }
        // Listens only after some milliseconds.
        "late" => {
            std::thread::sleep(Duration::from_millis(argument(1).parse()?));
            serve("200 OK", "")?;
        }
        // Listens, and never answers.
        "mute" => {
            let port: u16 = std::env::var("PORT")?.parse()?;
            let _listener = TcpListener::bind(("127.0.0.1", port))?;
            loop {
                std::thread::park();
            }
        }
        // Does nothing, for ever.
        "work" => loop {
            std::thread::park();
        },
        // The control socket of a proxy that knows only one answer.
        "proxy-keeper" => proxy()?,
        // Prints something and returns a code at once.
        "exit" => {
            say(argument(2))?;
            return Ok(ExitCode::from(argument(1).parse::<u8>()?));
        }
        // Prints many lines, then serves.
        "print" => {
            for number in 0..argument(1).parse::<u32>()? {
                say(&format!("{number} {}", "x".repeat(100)))?;
            }
            serve("200 OK", "")?;
        }
        // Prints its environment and its secret file, then serves.
        "environment" => {
            for (name, value) in std::env::vars() {
                say(&format!("{name}={value}"))?;
            }
            if let Ok(path) = std::env::var("TOKEN_FILE") {
                say(&format!("token file holds {}", std::fs::read_to_string(path)?))?;
            }
            serve("200 OK", "")?;
        }
        // Serves, ignores TERM, and has a grandchild in a session of its own that does as well.
        "stubborn" => {
            signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::default())?;
            grandchild()?;
            serve("200 OK", "")?;
        }
        // As before, but obeys TERM itself.
        "parent" => {
            grandchild()?;
            serve("200 OK", "")?;
        }
        "grandchild" => {
            rustix::process::setsid()?;
            let ignored: Arc<AtomicBool> = Arc::default();
            signal_hook::flag::register(signal_hook::consts::SIGTERM, ignored)?;
            say(&format!("grandchild {}", std::process::id()))?;
            loop {
                std::thread::park();
            }
        }
        // Leaves a grandchild behind and ends.
        "leave" => {
            grandchild()?;
            return Ok(ExitCode::from(3));
        }
        // Takes a port for somebody else and says which.
        "listen" => {
            let listener = TcpListener::bind(argument(1))?;
            say(&listener.local_addr()?.to_string())?;
            // Ends with its caller.
            io::stdin().read_line(&mut String::new())?;
        }
        other => return Err(format!("unknown mode {other:?}").into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn proxy() -> Result<(), Box<dyn Error>> {
    let state = std::env::var("CUTOVER_STATE")?;
    // Slow to come up, so that somebody has to wait for it.
    std::thread::sleep(Duration::from_millis(100));
    let listener = UnixListener::bind(format!("{state}/control.sock"))?;
    let body = format!(r#"{{"pid":{},"epoch":7,"apps":{{}}}}"#, std::process::id());
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut head = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while head.read_line(&mut line)? > 2 {
            line.clear();
        }
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Starts one through a process that ends, so that it is an orphan; returns when it runs.
fn grandchild() -> Result<(), Box<dyn Error>> {
    let me = std::env::current_exe()?;
    let mut child = Command::new(me).arg("grandchild").arg0("grandchild").spawn()?;
    // Its group is changed by itself; a process that is waited for by nobody is the point.
    let _ = child.try_wait()?;
    Ok(())
}

fn serve(status: &str, extra: &str) -> Result<(), Box<dyn Error>> {
    let body = extra.to_owned();
    loop_over(|status, stream| answer(stream, status, &body), status)
}

fn loop_over(
    reply: impl Fn(&str, &mut TcpStream) -> io::Result<()>,
    text: &str,
) -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        // A connection without a request is a probe too.
        let mut head = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while head.read_line(&mut line).unwrap_or(0) > 2 {
            line.clear();
        }
        // Nobody may be there any more.
        let _ = reply(text, &mut stream);
    }
    Ok(())
}

fn answer(stream: &mut TcpStream, status: &str, extra: &str) -> io::Result<()> {
    let (header, body) = match extra.strip_prefix("header:") {
        Some(header) => (format!("{header}\r\n"), ""),
        None => (String::new(), extra),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
