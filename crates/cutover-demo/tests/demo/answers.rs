//! What it answers when nobody told it to be bad.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::process::Demo;

#[test]
fn the_front_page_is_a_line_for_programs_and_a_page_for_people() {
    let demo = Demo::start(&["--instance", "shop-1"]);
    let line = demo.ask("GET /", "accept: */*\r\n");
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    assert!(line.contains("\r\nx-version: v1\r\n"), "{line}");
    let expected = format!("\r\n\r\ncutover-demo v1 {} shop-1\n", demo.pid);
    assert!(line.ends_with(&expected), "{line}");

    let page = demo.ask("GET /", "accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n");
    assert!(page.contains("content-type: text/html"), "{page}");
    assert!(page.contains("<h1>v1</h1>"), "{page}");
    assert!(page.contains("x-version: v1"), "{page}");
}

#[test]
fn what_is_not_there_is_404_with_the_version() {
    let answer = Demo::start(&[]).ask("GET /nothing", "");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.contains("x-version: v1"), "{answer}");
}

#[test]
fn orders_of_two_instances_end_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders");
    let orders = ["--orders", file.to_str().unwrap()];
    let (one, two) = (Demo::start(&orders), Demo::start(&orders));
    for (demo, id) in [(&one, "a-1"), (&two, "a-2"), (&one, "a-2")] {
        let answer = demo.ask("POST /orders", &format!("x-request-id: {id}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        assert!(answer.contains(&format!("x-request-id: {id}\r\n")), "{answer}");
    }
    assert_eq!(one.status("POST /orders"), 400);
    let two_words = one.ask("POST /orders", "x-request-id: a b\r\n");
    assert!(two_words.starts_with("HTTP/1.1 400"), "{two_words}");
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written, "a-1 v1\na-2 v1\na-2 v1\n");
}

#[test]
fn an_order_cut_short_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders");
    let demo = Demo::start(&["--orders", file.to_str().unwrap()]);
    let mut stream = demo.connect();
    stream
        .write_all(
            b"POST /orders HTTP/1.1\r\nhost: d\r\nx-request-id: a\r\ncontent-length: 9\r\n\r\nhalf",
        )
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.contains(" 201 "), "{answer}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
}

#[test]
fn slow_takes_its_time() {
    let demo = Demo::start(&[]);
    let since = Instant::now();
    assert_eq!(demo.status("GET /slow?x=1&ms=200"), 200);
    assert!(since.elapsed() >= Duration::from_millis(200));
}
