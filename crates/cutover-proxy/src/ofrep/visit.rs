//! One connection of a client.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::answer::answer;
use super::environment::Serving;

/// How long a client may take to send the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// The most bytes of a head, and of what is read ahead. Thousands of clients only wait.
const BUFFER: usize = 16 * 1024;

/// Serves the connection to its end; when flags are served no longer, to the end of its request.
pub(super) async fn serve(serving: Arc<Serving>, stream: TcpStream) {
    // Answers are small, and written whole.
    let _ = stream.set_nodelay(true);
    let end = serving.end.clone();
    let service = service_fn(move |request| {
        let serving = Arc::clone(&serving);
        async move { Ok::<_, Infallible>(answer(&serving, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(BUFFER)
        // Answers are small: one buffer is written faster than head and body side by side.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // Errors are those of the client's side: it left, or it does not speak HTTP.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
