//! Real processes and sockets for the tests: a proxy under its keeper, instances, users.

pub(crate) mod client;
pub(crate) mod instance;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use cutover_core::comparison::Copies;
use cutover_core::dataplane::{
    AppState, BySide, Counters, DataPlaneState, Frontend, Mirror, Publication, Refusal, Seconds,
    WhileDown,
};
use cutover_core::id::{InstanceId, ReleaseId};
use cutover_core::plan::Sticky;
use cutover_core::table::{Deal, Flags, Generation, Raised, Table};
use cutover_core::units::{Share, Span};
use cutover_proxy::Folders;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;

use client::{Answer, exchange};

/// Waits for a condition; the name says for which when it never comes.
pub(crate) fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_true() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An address where nobody listens.
pub(crate) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_cutover-proxy-under-test");

/// A proxy under its keeper, in folders of its own.
pub(crate) struct Proxy {
    _folder: tempfile::TempDir,
    pub(crate) folders: Folders,
    program: PathBuf,
    keeper: Option<Child>,
    pub(crate) listen: SocketAddr,
    seq: u32,
}

impl Proxy {
    pub(crate) fn start() -> Proxy {
        Proxy::start_as(tempfile::tempdir().unwrap(), PROGRAM.into())
    }

    /// In this folder, by this program.
    pub(crate) fn start_as(folder: tempfile::TempDir, program: PathBuf) -> Proxy {
        let folders = Folders { state: folder.path().join("s"), run: folder.path().join("r") };
        let listen = free();
        let mut proxy = Proxy { _folder: folder, folders, program, keeper: None, listen, seq: 0 };
        proxy.start_keeper();
        proxy
    }

    pub(crate) fn start_keeper(&mut self) {
        self.keeper = Some(self.spawn("keep"));
        until("the proxy answers", || self.try_state().is_some());
    }

    pub(crate) fn spawn(&self, role: &str) -> Child {
        Command::new(&self.program)
            .arg(role)
            .args([&self.folders.state, &self.folders.run])
            .spawn()
            .unwrap()
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let stream = UnixStream::connect(self.folders.control_socket()).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        exchange(&stream, request.as_bytes()).unwrap()
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.call("GET", path, "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) fn try_state(&self) -> Option<DataPlaneState> {
        let stream = UnixStream::connect(self.folders.control_socket()).ok()?;
        let answer = exchange(&stream, b"GET /v1/state HTTP/1.1\r\nhost: x\r\n\r\n").ok()?;
        serde_json::from_slice(&answer.body).ok()
    }

    pub(crate) fn state(&self) -> DataPlaneState {
        self.get("/v1/state")
    }

    pub(crate) fn app(&self) -> AppState {
        self.state().apps.remove(&"shop".parse().unwrap()).expect("the app is in force")
    }

    pub(crate) fn requests_in(&self, instance: &str) -> u32 {
        self.app().in_flight.get(&id(instance)).map_or(0, |inside| inside.requests)
    }

    pub(crate) fn upgraded_in(&self, instance: &str) -> u32 {
        self.app().in_flight.get(&id(instance)).map_or(0, |inside| inside.upgraded)
    }

    pub(crate) fn seconds(&self, after: u64) -> Seconds {
        self.get(&format!("/v1/apps/shop/seconds?after={after}"))
    }

    /// The sum of all finished seconds: of all instances, and of requests that none got.
    pub(crate) fn counted(&self) -> (Counters, Counters) {
        let (mut all, mut none) = (Counters::default(), Counters::default());
        for second in self.seconds(0).seconds {
            none.add(&second.none);
            for measured in second.releases.values() {
                measured.instances.values().for_each(|counts| all.add(counts));
            }
        }
        (all, none)
    }

    /// The sum over all finished seconds of what became of copies.
    pub(crate) fn copies(&self) -> Copies {
        let mut sum = Copies::default();
        for second in self.seconds(0).seconds {
            second.copies.iter().for_each(|copies| sum.add(copies));
        }
        sum
    }

    /// The sum over all finished seconds of a flag's sides.
    pub(crate) fn sides(&self, flag: &str) -> BySide {
        let mut sum = BySide::default();
        for second in self.seconds(0).seconds {
            if let Some(sides) = second.flags.get(&flag.parse().unwrap()) {
                sum.on.add(&sides.on);
                sum.off.add(&sides.off);
            }
        }
        sum
    }

    /// Waits until that many requests are counted, and returns the sums.
    pub(crate) fn count_to(&self, requests: u64) -> (Counters, Counters) {
        until("all requests are counted", || {
            let (all, none) = self.counted();
            all.requests + none.requests >= requests
        });
        let counted = self.counted();
        assert_eq!(counted.0.requests + counted.1.requests, requests, "no more than that");
        counted
    }

    pub(crate) fn frontend(&self) -> Frontend {
        Frontend {
            listen: self.listen,
            preview: "127.0.0.1:0".parse().unwrap(),
            host: None,
            path: None,
            while_down: WhileDown::Hold,
            hold_limit: Span::secs(20),
            hold_most: 100,
            drain_upgraded: Span::secs(20),
            drain_requests: Span::secs(20),
            mirror: Mirror {
                methods: ["GET", "HEAD", "OPTIONS"].map(str::to_owned).to_vec(),
                compare_body: true,
                most_body: 65_536,
            },
            identity: Sticky::Cookie,
        }
    }

    pub(crate) fn publish(&mut self, table: Table) -> AppState {
        self.publish_with(self.frontend(), table)
    }

    pub(crate) fn publish_with(&mut self, frontend: Frontend, table: Table) -> AppState {
        self.put("shop", frontend, table).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    pub(crate) fn put(
        &mut self,
        subject: &str,
        frontend: Frontend,
        table: Table,
    ) -> Result<AppState, Refusal> {
        self.seq += 1;
        let generation = Generation { epoch: 1, seq: self.seq };
        self.put_generation(subject, Publication { generation, frontend, table }).1
    }

    pub(crate) fn put_generation(
        &self,
        subject: &str,
        publication: Publication,
    ) -> (u16, Result<AppState, Refusal>) {
        let body = serde_json::to_string(&publication).unwrap();
        let answer = self.call("PUT", &format!("/v1/apps/{subject}"), &body);
        let result = match answer.status {
            200 => Ok(serde_json::from_slice(&answer.body).unwrap()),
            _ => Err(serde_json::from_slice(&answer.body).unwrap()),
        };
        (answer.status, result)
    }

    /// Has the keeper a descriptor of the socket that users connect to? Looked up in `/proc`: the
    /// second field of `net/tcp` is `ADDRESS:PORT` in hex, the fourth the state (0A is LISTEN), the
    /// tenth the inode.
    pub(crate) fn keeper_holds_users(&self) -> bool {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let ending = format!(":{:04X}", self.listen.port());
        let inode = table.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            (fields[1].ends_with(&ending) && fields[3] == "0A").then(|| fields[9].to_owned())
        });
        let (Some(inode), Some(keeper)) = (inode, &self.keeper) else {
            return false;
        };
        let socket = PathBuf::from(format!("socket:[{inode}]"));
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", keeper.id())).unwrap();
        descriptors.flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == socket))
    }

    pub(crate) fn kill_proxy(&self) {
        signal(self.state().pid, Signal::KILL);
    }

    pub(crate) fn kill_keeper(&mut self) {
        let mut keeper = self.keeper.take().unwrap();
        keeper.kill().unwrap();
        keeper.wait().unwrap();
    }

    /// Tells the keeper to end, and waits for it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            signal(keeper.id(), Signal::TERM);
            keeper.wait().unwrap();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A test that failed without a keeper leaves the proxy alone.
        let orphan = self.keeper.is_none().then(|| self.try_state()).flatten();
        if let Some(state) = orphan {
            signal(state.pid, Signal::KILL);
        }
        self.stop();
        if std::thread::panicking() {
            eprintln!("log: {:?}", std::fs::read_to_string(self.folders.log()));
        }
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// An address where connections neither succeed nor fail, and what keeps it so.
pub(crate) fn full_queue() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let wait = Duration::from_millis(200);
    let queued = std::iter::from_fn(|| TcpStream::connect_timeout(&address, wait).ok()).collect();
    (address, (listener, queued))
}

/// Evenly over these.
pub(crate) fn even(serving: &[(&str, SocketAddr)]) -> Table {
    let serving = serving.iter().map(|(name, address)| (id(name), *address)).collect();
    Table { deal: Deal::Even, serving, ..Table::default() }
}

/// This many thousandths to release 2, which users move to; the rest to release 1.
pub(crate) fn split(share: u32, sticky: Sticky, serving: &[(&str, SocketAddr)]) -> Table {
    let favoured = ReleaseId(2);
    let share = Share::from_permille(share);
    let shares = [(ReleaseId(1), share.rest()), (favoured, share)].into();
    Table { deal: Deal::Split { shares, sticky, favoured }, ..even(serving) }
}

/// A flag with this many thousandths.
pub(crate) fn flag(key: &str, share: u32) -> Flags {
    let raised = Raised { share: Share::from_permille(share), by: ReleaseId(1) };
    [(key.parse().unwrap(), raised)].into()
}

/// This many thousandths of the requests copied to these, beside a table.
pub(crate) fn mirror(share: u32, mirrored: &[(&str, SocketAddr)], table: Table) -> Table {
    let mirrored = mirrored.iter().map(|(name, address)| (id(name), *address)).collect();
    Table { mirrored, mirror: Share::from_permille(share), ..table }
}
