//! Instances of an app: small servers on threads that do as their tests say.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::client::read_chunk;

/// A request as an instance sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Request line and headers, as they came.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(given, _)| given.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned())
    }
}

#[derive(Default)]
struct Steps {
    given: u32,
    taken: u32,
}

struct Inner {
    name: String,
    /// The path by which every request is answered, whatever its own.
    always: Mutex<Option<String>>,
    listener: TcpListener,
    seen: Mutex<Vec<Request>>,
    connections: Mutex<Vec<TcpStream>>,
    ended: AtomicUsize,
    steps: Mutex<Steps>,
    stepped: Condvar,
}

/// A running instance; its listener ends with it.
pub(crate) struct Instance {
    inner: Arc<Inner>,
    pub(crate) address: SocketAddr,
}

impl Instance {
    /// Answers its name, or what the path says; see [`Inner::answer`].
    pub(crate) fn start(name: &str) -> Instance {
        Instance::start_at(name, "127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn start_at(name: &str, address: SocketAddr) -> Instance {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            name: name.to_owned(),
            always: Mutex::default(),
            listener,
            seen: Mutex::default(),
            connections: Mutex::default(),
            ended: AtomicUsize::new(0),
            steps: Mutex::default(),
            stepped: Condvar::new(),
        });
        let server = Arc::clone(&inner);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = server.listener.accept() {
                server.connections.lock().unwrap().push(stream.try_clone().unwrap());
                let server = Arc::clone(&server);
                std::thread::spawn(move || {
                    let _ = server.converse(&stream);
                    let _ = stream.shutdown(Shutdown::Both);
                    server.ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Instance { inner, address }
    }

    /// Answers every request by this path from now on, or by its own again.
    pub(crate) fn always(&self, path: Option<&str>) {
        *self.inner.always.lock().unwrap() = path.map(str::to_owned);
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.lock().unwrap().len()
    }

    /// How many of them have ended.
    pub(crate) fn ended(&self) -> usize {
        self.inner.ended.load(Ordering::SeqCst)
    }

    /// Lets one waiting request go one step on.
    pub(crate) fn step(&self) {
        self.inner.steps.lock().unwrap().given += 1;
        self.inner.stepped.notify_all();
    }

    /// Closes every connection, as a server that was idle too long.
    pub(crate) fn close_connections(&self) {
        for connection in self.inner.connections.lock().unwrap().iter() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Ends as a process that dies: the listening socket, then the connections.
    pub(crate) fn die(&self) {
        rustix::net::shutdown(self.inner.listener.as_fd(), rustix::net::Shutdown::Both).unwrap();
        self.close_connections();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(self.inner.listener.as_fd(), rustix::net::Shutdown::Both);
        self.close_connections();
    }
}

impl Inner {
    fn wait(&self) {
        let mut steps = self.steps.lock().unwrap();
        steps.taken += 1;
        let mine = steps.taken;
        let limit = Duration::from_secs(30);
        drop(self.stepped.wait_timeout_while(steps, limit, |steps| steps.given < mine).unwrap());
    }

    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        for number in 0.. {
            let mut request = Request::default();
            loop {
                let mut line = Vec::new();
                if reader.read_until(b'\n', &mut line)? == 0 {
                    return Ok(());
                }
                // Headers may hold anything.
                let line = String::from_utf8_lossy(&line);
                request.head.push_str(&line);
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut words = request.head.split_whitespace();
            request.method = words.next().unwrap_or_default().to_owned();
            request.path = words.next().unwrap_or_default().to_owned();
            if request.path == "/slow-reader" {
                self.wait();
            }
            if let Some(length) = request.header("content-length") {
                request.body = vec![0; length.parse().unwrap()];
                reader.read_exact(&mut request.body)?;
            } else if request.header("transfer-encoding").is_some() {
                while let Some(chunk) = read_chunk(&mut reader)? {
                    request.body.extend(chunk);
                }
            }
            self.seen.lock().unwrap().push(request.clone());
            // As one that closes an idle connection in the moment in which a request comes.
            let is_closing = request.path == "/only-first" && number > 0;
            if is_closing || !self.answer(stream, &request)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False if the connection ends with this answer.
    fn answer(&self, mut stream: &TcpStream, request: &Request) -> io::Result<bool> {
        let mut plain = |status: &str, body: &str| {
            let length = body.len();
            let body = if request.method == "HEAD" { "" } else { body };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n");
            stream.write_all(format!("{head}x-instance: {}\r\n\r\n{body}", self.name).as_bytes())
        };
        let always = self.always.lock().unwrap().clone();
        let path = always.as_deref().unwrap_or(&request.path);
        match path.split('?').next().unwrap_or_default() {
            "/reset" => {
                // Linux answers this with a reset to the peer.
                rustix::net::connect_unspec(stream)?;
                return Ok(false);
            }
            "/wait" => {
                self.wait();
                plain("200 OK", &self.name)?;
            }
            "/broken" => return Ok(false),
            "/error" => plain("503 Service Unavailable", "the app's own")?,
            "/no-content" => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?,
            "/not-modified" => {
                stream.write_all(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 42\r\n\r\n")?;
            }
            "/until-close" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfirst")?;
                self.wait();
                stream.write_all(b" last")?;
                return Ok(false);
            }
            "/chunks" => {
                let hop = "connection: x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5";
                let head =
                    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{hop}\r\n\r\n");
                stream.write_all(head.as_bytes())?;
                for number in 0..3 {
                    self.wait();
                    let event = format!("event {number}\n");
                    stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
                }
                stream.write_all(b"0\r\n\r\n")?;
            }
            "/half" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")?;
                self.wait();
                return Ok(false);
            }
            "/half-and-close" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")?;
                return Ok(false);
            }
            "/then-close" => {
                plain("200 OK", &self.name)?;
                return Ok(false);
            }
            "/echo" => plain("200 OK", &request.head)?,
            "/size" => plain("200 OK", &request.body.len().to_string())?,
            _ => plain("200 OK", &self.name)?,
        }
        Ok(true)
    }
}
