//! A server in a container, through the `docker` client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::home::Home;
use super::{Engine, Options, PREFIX, SETTINGS, SUPERUSER, Server, process};
use crate::error::{Error, Kind, Result};

const POLL: Duration = Duration::from_millis(50);

/// A running container.
#[derive(Debug)]
pub(super) struct Container {
    pub name: String,
    /// Ended, or handed away: nothing is left to stop.
    settled: bool,
}

/// Whether a docker client is installed and its daemon answers.
pub(super) fn answers() -> bool {
    docker(&["info", "--format", "{{.ServerVersion}}"]).is_ok()
}

/// The shell command that stops and removes the container `name`.
pub(super) fn removal(name: &str) -> String {
    format!("docker rm --force --volumes {name}")
}

/// Stops and removes the container `name`, if there is one.
pub(super) fn remove(name: &str) -> bool {
    docker(&["rm", "--force", "--volumes", name]).is_ok()
}

/// Starts `image`, which must understand what the official image does.
pub(super) fn start(image: &str, options: &Options) -> Result<Server> {
    let password = process::random_password()?;
    let name = format!("{PREFIX}{}-{}", std::process::id(), &password[..8]);
    let home = Home::create(None, Some(&name))?;
    // Declared after `home`, and so dropped before it.
    let container = Container { name: name.clone(), settled: false };
    let password = process::random_password()?;
    let mut arguments: Vec<String> = ["run", "--detach", "--name", &name, "--env", "POSTGRES_PASSWORD"]
        .into_iter()
        .chain(["--publish", "127.0.0.1::5432", "--shm-size", "256m", "--cidfile"])
        .map(str::to_owned)
        .collect();
    arguments.extend([
        home.path().join("container").display().to_string(),
        image.to_owned(),
        "postgres".to_owned(),
    ]);
    let ours = SETTINGS.iter().filter(|(name, _)| *name != "listen_addresses");
    let ours = ours.map(|(name, value)| format!("{name}={value}"));
    let theirs = options.settings.iter().map(|(name, value)| format!("{name}={value}"));
    arguments.extend(ours.chain(theirs).flat_map(|setting| ["-c".to_owned(), setting]));
    let failed = || Error::new(Kind::Environment, format!("start a container of {image}"));
    // The client reads the password from its environment: a command line is there for everybody to see.
    let status = home
        .spawn(Path::new("docker"), &arguments, &[("POSTGRES_PASSWORD", &password)])?
        .wait()
        .map_err(|e| failed().because(e))?;
    if !status.success() {
        return Err(failed().because(home.told(format!("docker run ended with {status}"))));
    }
    let port = published_port(&name).map_err(|e| failed().because(container.told(&e)))?;
    wait_ready(port, options.start_within, &container).map_err(|e| failed().because(e))?;
    let printed = docker(&["exec", &name, "postgres", "--version"]).map_err(|e| failed().because(e))?;
    let major = super::installation::parse_version(&printed)
        .map(|(major, _)| major)
        .ok_or_else(|| failed().because(format!("postgres --version printed \"{printed}\"")))?;
    if let Some(wanted) = options.major.filter(|wanted| *wanted != major) {
        return Err(
            failed().because(format!("PostgreSQL {wanted} was asked for, and the image holds {major}"))
        );
    }
    Ok(Server { engine: Engine::Docker(container), home, major, port, password })
}

impl Container {
    pub fn stop(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.settled, true) {
            return Ok(());
        }
        let failed =
            |e| Error::new(Kind::Environment, format!("remove the container {}", self.name)).because(e);
        docker(&["rm", "--force", "--volumes", &self.name]).map(drop).map_err(failed)
    }

    /// Leaves the container running when this value goes.
    pub fn forget(&mut self) {
        self.settled = true;
    }

    /// What happened, and the last lines of the container's log below it.
    fn told(&self, event: &str) -> String {
        let output = process::output(Path::new("docker"), &["logs", "--tail", "12", &self.name], None);
        let log = output.map(|it| [it.stdout, it.stderr].concat()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).trim_end().replace('\n', "\n  ");
        format!("{event}; its log ends with:\n  {log}")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // An error has nobody to go to.
        let _ = self.stop();
    }
}

/// Runs the docker client; its standard output, or what it complained about.
fn docker(arguments: &[&str]) -> std::result::Result<String, String> {
    let output = process::output(Path::new("docker"), arguments, None).map_err(|e| format!("docker: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// Reads `127.0.0.1:49153`.
fn published_port(name: &str) -> std::result::Result<u16, String> {
    let printed = docker(&["port", name, "5432/tcp"])?;
    let port = printed.lines().next().and_then(|line| line.rsplit_once(':')?.1.parse().ok());
    port.ok_or_else(|| format!("docker port printed \"{printed}\""))
}

/// Waits until the server itself answers: Docker's proxy accepts connections long before there is one, and the image
/// starts a server without TCP first, to prepare the cluster.
fn wait_ready(port: u16, within: Duration, container: &Container) -> std::result::Result<(), String> {
    let deadline = Instant::now() + within;
    loop {
        if asks_for_authentication(port).unwrap_or(false) {
            return Ok(());
        }
        let running = docker(&["inspect", "--format", "{{.State.Running}}", &container.name]);
        if running.as_deref() != Ok("true") {
            return Err(container.told("the container ended"));
        }
        if Instant::now() >= deadline {
            return Err(container.told(&format!("the server was not ready within {} s", within.as_secs())));
        }
        std::thread::sleep(POLL);
    }
}

/// Sends the start of a connection: a server that is still starting answers with an error, a ready one with `R`.
fn asks_for_authentication(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let parameters = format!("user\0{SUPERUSER}\0database\0{SUPERUSER}\0\0");
    let length = u32::try_from(parameters.len() + 8).map_err(std::io::Error::other)?;
    let protocol_3_0 = 0x0003_0000_u32;
    stream.write_all(
        &[&length.to_be_bytes()[..], &protocol_3_0.to_be_bytes(), parameters.as_bytes()].concat(),
    )?;
    let mut kind = [0_u8];
    stream.read_exact(&mut kind)?;
    Ok(kind == *b"R")
}
