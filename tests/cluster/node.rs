//! A primary and its standby: two servers on one cluster's files, which may be killed and started again.

use crate::support;
use pgproof::scratch::{self, Options, Server, Source};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server process on a data directory. A shell in between stops it when this value, or the test's process, goes.
pub struct Node {
    program: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    port: u16,
    shell: Option<Child>,
}

/// The files of a cluster, gone with this value, and who works on them.
pub struct Cluster {
    pub primary: Node,
    pub standby: Option<Node>,
    // Dropped last: it removes the files.
    home: Server,
}

/// A cluster of its own, with a primary that runs.
pub fn cluster(major: u32, settings: &[(&str, &str)]) -> Cluster {
    let installation = scratch::installations().into_iter().find(|it| it.major == major);
    let installation =
        installation.unwrap_or_else(|| panic!("this test starts standbys: install PostgreSQL {major}"));
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let source = Source::BinDir(installation.bin_dir.clone());
    let options = Options { source, settings, ..Options::default() };
    let home = Server::start(&options).unwrap_or_else(|e| panic!("{e}: {}", e.causes().join(": ")));
    let data = home.data_dir().expect("a local server");
    // Stopped in peace, its files are a backup.
    signal("INT", home.pid().expect("a local server"));
    support::eventually("the server has stopped", || !data.join("postmaster.pid").exists());
    let socket = home.socket_dir().expect("a socket").to_owned();
    let program = installation.bin_dir.join("postgres");
    let primary = Node { program, data, socket, port: free_port(), shell: None };
    Cluster { primary, standby: None, home }
}

impl Cluster {
    /// Copies the primary, which must not run, to a standby that follows it once both are started.
    pub fn add_standby(&mut self, slot: &str, settings: &str) {
        let data = self.home.directory().join("standby");
        let copied = Command::new("cp").arg("-a").arg(&self.primary.data).arg(&data).status();
        assert!(copied.expect("run cp").success(), "copy the data directory");
        let conninfo = format!(
            "host={} port={} user=postgres application_name=replica",
            self.primary.socket.display(),
            self.primary.port
        );
        let path = data.join("postgresql.conf");
        let mut text = fs::read_to_string(&path).expect("its settings");
        text.push_str(&format!(
            "primary_conninfo = '{conninfo}'\nprimary_slot_name = '{slot}'\n{settings}\n"
        ));
        fs::write(&path, text).expect("write its settings");
        fs::write(data.join("standby.signal"), "").expect("make it a standby");
        let primary = &self.primary;
        let standby = Node {
            program: primary.program.clone(),
            data,
            socket: primary.socket.clone(),
            port: free_port(),
            shell: None,
        };
        self.standby = Some(standby);
    }

    pub fn standby(&mut self) -> &mut Node {
        self.standby.as_mut().expect("a standby")
    }
}

impl Node {
    /// Starts the server as the account that owns its files, and waits until it answers.
    pub fn start(&mut self) {
        let owner = fs::metadata(&self.data).expect("its data directory");
        let script = r#"trap '' HUP INT TERM; "$0" "$@" & cat >/dev/null; kill -QUIT $! 2>/dev/null; wait"#;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).arg(&self.program);
        command.arg("-D").arg(&self.data).args(["-p", &self.port.to_string()]).arg("-k").arg(&self.socket);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        command.process_group(0);
        if owner.uid() != fs::metadata("/proc/self").map_or(owner.uid(), |own| own.uid()) {
            command.uid(owner.uid()).gid(owner.gid());
        }
        self.shell = Some(command.spawn().expect("start the server"));
        support::eventually("the server answers", || {
            support::try_query(&self.url("postgres"), "SELECT 1").is_ok()
        });
    }

    /// Kills its postmaster, as a power cut would, and waits for the end of what it left.
    pub fn crash(&mut self) {
        signal("KILL", self.pid());
        self.stop();
        // Its children work in the data directory, whatever they call themselves, until they notice.
        let works_there =
            |entry: fs::DirEntry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == self.data);
        support::eventually("its processes are gone", || {
            !fs::read_dir("/proc").into_iter().flatten().flatten().any(works_there)
        });
    }

    /// Stops it at once.
    pub fn stop(&mut self) {
        let Some(mut shell) = self.shell.take() else { return };
        drop(shell.stdin.take());
        let _ = shell.wait();
    }

    fn pid(&self) -> u32 {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).expect("a server that runs");
        text.lines().next().and_then(|line| line.parse().ok()).expect("its process id")
    }

    pub fn url(&self, dbname: &str) -> String {
        self.url_as("postgres", dbname)
    }

    pub fn url_as(&self, user: &str, dbname: &str) -> String {
        format!("host={} port={} dbname={dbname} user={user}", self.socket.display(), self.port)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.expect("run kill").success(), "kill -{name} {pid}");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A folder that the account of the server behind `server` may write to.
pub fn folder_of(server: &Server, name: &str) -> PathBuf {
    let path = server.directory().join(name);
    fs::create_dir_all(&path).expect("make a folder");
    let owner = fs::metadata(server.data_dir().expect("a local server")).expect("its data directory");
    std::os::unix::fs::chown(Path::new(&path), Some(owner.uid()), Some(owner.gid())).expect("give it away");
    path
}
