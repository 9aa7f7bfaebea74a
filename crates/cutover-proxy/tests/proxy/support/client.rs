//! Users that see every byte.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Sends a whole request and reads a whole answer.
pub(crate) fn exchange<S>(stream: &S, request: &[u8]) -> io::Result<Answer>
where
    for<'a> &'a S: Read + Write,
{
    let mut writer = stream;
    writer.write_all(request)?;
    let is_head = request.starts_with(b"HEAD ");
    read_answer(&mut BufReader::new(stream), is_head)
}

/// The head of the next final answer.
pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Answer> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut answer = Answer {
        status: line.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or(0),
        ..Answer::default()
    };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                answer.headers.push((name.to_lowercase(), value.trim().to_owned()));
            }
            None => return Ok(answer),
        }
    }
}

pub(crate) fn read_answer(reader: &mut impl BufRead, is_head: bool) -> io::Result<Answer> {
    let mut answer = read_head(reader)?;
    if is_head || matches!(answer.status, 100..=199 | 204 | 304) {
        return Ok(answer);
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        while let Some(chunk) = read_chunk(reader)? {
            answer.body.extend(chunk);
        }
    } else if let Some(length) = answer.header("content-length") {
        answer.body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut answer.body)?;
    } else {
        reader.read_to_end(&mut answer.body)?;
    }
    Ok(answer)
}

/// The next chunk; `None` at the end of the body.
pub(crate) fn read_chunk(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let length = usize::from_str_radix(line.trim(), 16)
        .map_err(|_| io::Error::new(io::ErrorKind::UnexpectedEof, "no chunk"))?;
    let mut chunk = vec![0; length + 2];
    reader.read_exact(&mut chunk)?;
    chunk.truncate(length);
    Ok((length > 0).then_some(chunk))
}

/// A connection of a user, kept alive.
pub(crate) struct User {
    pub(crate) stream: TcpStream,
}

impl User {
    pub(crate) fn connect(address: SocketAddr) -> User {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        User { stream }
    }

    pub(crate) fn send(&self, bytes: &str) {
        (&self.stream).write_all(bytes.as_bytes()).unwrap();
    }

    pub(crate) fn read(&self) -> io::Result<Answer> {
        read_answer(&mut BufReader::new(&self.stream), false)
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &str) -> io::Result<Answer> {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: shop.test\r\n{headers}\r\n");
        exchange(&self.stream, request.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "").unwrap()
    }
}

/// One request on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    User::connect(address).get(path)
}
