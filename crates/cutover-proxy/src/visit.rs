//! One connection of a user, and how each of its requests gets an instance.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use cutover_core::dataplane::WhileDown;
use http::header::HOST;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::claim::Claim;
use crate::dealing::Dealing;
use crate::forward;
use crate::headers;
use crate::instance::Instance;
use crate::pages::{self, Answer};
use crate::plane::{Dealt, Plane};
use crate::route::Route;
use crate::routes::Door;
use crate::tally::{Outcome, Tally};
use crate::wire::{Wire, WireIo};

/// How long a user may take to send the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// How long a user who has not said anything yet may take to when the proxy stops.
const FIRST_WORD: Duration = Duration::from_millis(500);
/// How often a held user is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A user's connection.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) plane: Arc<Plane>,
    door: Door,
    wire: Arc<Wire>,
    pub(crate) from: IpAddr,
}

/// Serves the connection to its end; when the proxy stops, to the end of its current request.
pub(crate) async fn serve(plane: Arc<Plane>, door: Door, stream: TcpStream, from: SocketAddr) {
    let stop = plane.stop.clone();
    let wire = Wire::new(stream);
    let io = TokioIo::new(WireIo(Arc::clone(&wire)));
    let accepted = Arc::clone(&wire);
    let visitor = Arc::new(Visitor { plane, door, wire, from: from.ip() });
    let service = service_fn(move |request| {
        let visitor = Arc::clone(&visitor);
        // On the heap, as it is large and one connection has one at a time.
        Box::pin(async move { Ok::<_, Infallible>(answer(&visitor, request).await) })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(io, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // Errors are those of the user's side: it left, or it does not speak HTTP.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            // Accepted a moment ago: its first request is on its way, and idle connections close.
            let begin = Instant::now();
            while accepted.read() == 0 && begin.elapsed() < FIRST_WORD {
                tokio::select! {
                    _ = connection.as_mut() => return,
                    () = sleep(Duration::from_millis(5)) => {}
                }
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(visitor: &Visitor, mut request: Request<Incoming>) -> Response<Answer> {
    let start = std::time::Instant::now();
    if *request.method() == Method::CONNECT {
        return pages::text(StatusCode::METHOD_NOT_ALLOWED, "this is not a forward proxy");
    }
    if request.headers().get_all(HOST).iter().count() > 1 {
        return pages::text(StatusCode::BAD_REQUEST, "the request has more than one Host");
    }
    let wants_upgrade = headers::upgrade(request.headers()).is_some();
    let upgrade = wants_upgrade.then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let (dealing, tally) = (Dealing::default(), Tally::new(None, start));
    let mut visit = Visit { visitor, dealing, tally, route: None };
    match visit.claim(&head, None).await {
        Ok(claim) => forward::forward(visit, claim, Request::from_parts(head, body), upgrade).await,
        Err(response) => *response,
    }
}

/// A request on its way to an instance.
pub(crate) struct Visit<'a> {
    pub(crate) visitor: &'a Visitor,
    pub(crate) dealing: Dealing,
    pub(crate) tally: Tally,
    /// What dealt it last; `None` at a preview, whose requests are not copied.
    pub(crate) route: Option<Arc<Route>>,
}

impl Visit<'_> {
    /// Claims an instance, where need be after a wait; else there is an answer of the proxy's own.
    pub(crate) async fn claim(
        &mut self,
        head: &Parts,
        avoid: Option<&Arc<Instance>>,
    ) -> Result<Claim, Box<Response<Answer>>> {
        let Visitor { plane, door, .. } = self.visitor;
        let mut place = None;
        // Held until the instance is claimed, so that nobody who came later claims before.
        let mut turn = None;
        let mut deadline = None;
        loop {
            let (route, number) = match plane.claim(door, head, &mut self.dealing, avoid) {
                Dealt::To(claim, route) => {
                    if let Door::Users(_) = door {
                        self.tally.app.get_or_insert_with(|| Arc::clone(&route.app));
                        self.route = Some(route);
                    }
                    self.tally.instance = Some(Arc::clone(claim.instance()));
                    let decided = self.dealing.decided.as_ref();
                    self.tally.flags = decided.filter(|decided| decided.has_sides()).cloned();
                    return Ok(claim);
                }
                Dealt::Nobody(route, number) => (route, number),
                Dealt::Unknown => {
                    self.tally.outcome = Outcome::Answered(StatusCode::NOT_FOUND);
                    let what = "no app is reached under this host and path";
                    return Err(Box::new(pages::text(StatusCode::NOT_FOUND, what)));
                }
            };
            if let Door::Preview(_) = door {
                return Err(Box::new(pages::busy("there is nothing to preview now")));
            }
            self.tally.app.get_or_insert_with(|| Arc::clone(&route.app));
            let frontend = &route.publication.frontend;
            if frontend.while_down == WhileDown::Notice {
                self.tally.outcome = Outcome::Failed;
                return Err(Box::new(pages::notice(head)));
            }
            let place = match &mut place {
                Some(place) => {
                    crate::hold::Place::rejoin(place);
                    place
                }
                none => match route.app.hold.join(frontend.hold_most) {
                    Some(new) => none.insert(new),
                    None => return Err(self.fail("too many requests wait for a server")),
                },
            };
            self.tally.held = true;
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + frontend.hold_limit.0);
            // A table that came after the look above has released those who were in the queue
            // before it, and this one perhaps was not.
            if plane.number() != number {
                continue;
            }
            drop(turn.take());
            tokio::select! {
                given = place.turn() => turn = given,
                () = sleep_until(deadline) => {
                    return Err(self.fail("no server became ready in time"));
                }
                () = self.visitor.left() => return Err(Box::new(pages::busy("the user has left"))),
                () = plane.end.cancelled() => return Err(self.fail("the proxy is stopping")),
            }
        }
    }

    /// No server for this request.
    fn fail(&mut self, what: &str) -> Box<Response<Answer>> {
        self.tally.outcome = Outcome::Failed;
        Box::new(pages::busy(what))
    }
}

impl Visitor {
    /// Returns when the user has left. Needed while nobody reads from the connection: hyper notices
    /// it by itself unless a request's body is in the way.
    async fn left(&self) {
        while !self.wire.has_left() {
            sleep(LOOK).await;
        }
    }
}
