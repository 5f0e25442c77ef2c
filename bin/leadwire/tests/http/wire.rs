//! Over a real connection: lengths, heads, and a client that sends far too much.

use domain::staff::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kit::Service;

/// Far more than the service takes.
const FLOOD_BYTES: usize = 10 * 1024 * 1024;

/// Sends a request as it is and gives head and body of the answer.
async fn exchange(service: &Service, head: &str, body: &[u8]) -> (String, String) {
    let mut stream = TcpStream::connect(service.running.local_addr().unwrap()).await.unwrap();
    let request = format!("{head}\r\nhost: leadwire\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

fn length(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_length_of_an_answer_is_the_one_it_has() {
    let service = Service::start().await;
    for request in ["GET /health/live HTTP/1.1", "GET /nowhere HTTP/1.1", "DELETE /health/live HTTP/1.1"] {
        let (head, body) = exchange(&service, request, b"").await;
        assert_eq!(length(&head), body.len(), "{head}");
        assert!(body.starts_with('{') && body.ends_with('}'), "{body}");
    }
    let (head, body) = exchange(&service, "HEAD /health/live HTTP/1.1", b"").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, "");
    service.stop().await;
}

#[tokio::test]
async fn who_sends_too_much_is_told_so() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let head = format!(
        "POST /api/customers HTTP/1.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {FLOOD_BYTES}",
        admin.token
    );
    let (head, body) = exchange(&service, &head, &vec![b' '; FLOOD_BYTES]).await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
    assert!(body.contains("PAYLOAD_TOO_LARGE"), "{body}");
    service.stop().await;
}
