//! Whole documents, fetched again only when they changed.

use std::path::Path;
use std::time::Duration;

use cutover_platform::{Document, Fetched, Unfetched};

use crate::server::{Answer, Request, Server, answer};

fn document(url: String) -> Document {
    Document { url, auth: None, tls: None, deadline: Duration::from_secs(20), largest: 2 << 20 }
}

async fn fetch(url: String) -> Result<Fetched, Unfetched> {
    document(url).fetch(Path::new("/"), None).await
}

fn by_tag(request: &Request) -> Answer {
    let same = request.header("if-none-match") == Some("\"one\"");
    let (status, body) = if same { ("304 Not Modified", "") } else { ("200 OK", "text") };
    let head = format!("HTTP/1.1 {status}\r\netag: \"one\"\r\nconnection: close\r\n");
    Some(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

#[tokio::test]
async fn what_one_has_is_not_sent_again() {
    let server = Server::start(by_tag).await;
    let Ok(Fetched::Text { text, etag }) = fetch(server.url()).await else { panic!("no text") };
    assert_eq!((text.as_str(), etag.as_ref().unwrap().as_bytes()), ("text", &b"\"one\""[..]));
    let again = document(server.url()).fetch(Path::new("/"), etag.as_ref()).await;
    assert_eq!(again, Ok(Fetched::Unchanged));
}

#[tokio::test]
async fn what_is_no_document_is_told() {
    for (status, body, words) in [
        ("200 OK", "x".repeat((2 << 20) + 1), "its answer is larger than 2 MiB"),
        ("503 Busy", "wait".to_owned(), "it answers 503 Service Unavailable: wait"),
        ("304 Not Modified", String::new(), "it answers 304 Not Modified"),
        ("302 Found", String::new(), "it answers 302 Found"),
    ] {
        let server = Server::start(move |_| answer(status, &body)).await;
        let error = fetch(server.url()).await.unwrap_err();
        assert_eq!(error.reason, words);
        assert!(error.to_string().contains("cannot be fetched"), "{error}");
    }
    let binary = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n\xff\xfe";
    let server = Server::start(|_| Some(binary.to_vec())).await;
    assert_eq!(fetch(server.url()).await.unwrap_err().reason, "it is not text in UTF-8");
    // It accepts, and says nothing.
    let server = Server::start(|_| None).await;
    let short = Document { deadline: Duration::from_millis(50), ..document(server.url()) };
    let error = short.fetch(Path::new("/"), None).await.unwrap_err();
    assert_eq!(error.reason, "not done after 0.05 s");
}
